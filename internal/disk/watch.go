package disk

import (
	"errors"
	"fmt"
	"sync"
)

// Watch looks at file systems and remembers which of them are low. It is safe for concurrent use.
type Watch struct {
	Folders []string
	Least   uint64 // bytes that have to be free for everybody; 0 for no watch

	mu  sync.Mutex
	low map[string]bool
}

// Shortage is a file system that is low.
type Shortage struct {
	Folder   string
	Free     uint64
	Needed   uint64 // for it to be low no more
	Reserved uint64 // free for root alone, which does not count
}

// String says how much is free and how much has to be.
func (s Shortage) String() string {
	return fmt.Sprintf("%s free of %s needed", Size(s.Free), Size(s.Needed))
}

// Look returns the first file system that is low, nil when none is. One that was low at the last look is until a tenth more
// than the least is free: or whoever acts on it would change his mind with every file. One that cannot be looked at is not low.
func (w *Watch) Look() (*Shortage, error) {
	if w.Least == 0 {
		return nil, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.low == nil {
		w.low = map[string]bool{}
	}
	var first *Shortage
	var errs []error
	for _, folder := range w.Folders {
		usage, err := Look(folder)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		enough := w.Least + w.Least/10
		w.low[folder] = usage.Free < w.Least || w.low[folder] && usage.Free < enough
		if w.low[folder] && first == nil {
			first = &Shortage{Folder: folder, Free: usage.Free, Needed: enough, Reserved: usage.Reserved}
		}
	}
	return first, errors.Join(errs...)
}
