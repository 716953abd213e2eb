package source

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/idxfile"
)

const (
	packSuffix  = ".pack"
	indexSuffix = ".idx"

	maxPacks   = 50       // of a mirror; then it is made anew from one
	maxCommits = 64       // that a server is told of, and a mirror is known to have
	growth     = 64 << 20 // how much a mirror may grow beyond twice what its first fetch moved
)

// mirror is a mirror as it was when it was opened. An empty one is an ordinary one.
type mirror struct {
	all   *Mirrors
	dir   string
	list  mirrorList
	packs []*pack // newest first
	anew  bool    // what is on disk is to be replaced
}

// mirrorList is what a mirror consists of.
type mirrorList struct {
	ID      string         `json:"id"` // of this beginning: a mirror that was removed and made again is another
	URL     string         `json:"url"`
	Commits []mirrorCommit `json:"commits"` // whose whole trees are here, newest first
	Packs   []packName     `json:"packs"`   // oldest first
}

type mirrorCommit struct {
	Hash plumbing.Hash `json:"hash"`
	Root bool          `json:"root,omitempty"` // it has no parents; those of the others are not here
}

type packName struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

func (l mirrorList) has(commit plumbing.Hash) bool {
	return slices.ContainsFunc(l.Commits, func(c mirrorCommit) bool { return c.Hash == commit })
}

// bloated tells that a mirror holds more of the past than of what is fetched now.
func (l mirrorList) bloated() bool {
	var sum int64
	for _, p := range l.Packs {
		sum += p.Bytes
	}
	return len(l.Packs) >= maxPacks || len(l.Packs) > 0 && sum > 2*l.Packs[0].Bytes+growth
}

// open opens the mirror of a project's repository. fault says why what was there is of no use; then it is made anew.
func (m *Mirrors) open(project string, u *url.URL) (opened *mirror, fault, err error) {
	dir := m.folder(project, u)
	opened = &mirror{all: m, dir: dir, list: mirrorList{ID: rand.Text(), URL: shown(u)}}
	err = m.locked(func() error {
		list, err := readList(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && list.bloated() {
			opened.anew = true
			return nil
		}
		if err == nil {
			opened.packs, err = openPacks(dir, list.Packs)
		}
		if err != nil {
			opened.anew, fault = true, err
			return nil
		}
		opened.list = list
		return os.Chtimes(filepath.Join(dir, listFile), time.Time{}, time.Now()) // what is evicted goes by it
	})
	if err != nil {
		return nil, nil, fmt.Errorf("open git mirror: %w", err)
	}
	return opened, fault, nil
}

func readList(dir string) (list mirrorList, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, listFile))
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	return list, err
}

func openPacks(dir string, names []packName) (packs []*pack, err error) {
	for i, name := range names {
		p, err := openPack(filepath.Join(dir, filepath.Base(name.Name)), name.Bytes)
		if err != nil {
			closePacks(packs)
			return nil, err
		}
		p.number = i
		packs = append(packs, p)
	}
	slices.Reverse(packs)
	return packs, nil
}

func openPack(path string, size int64) (*pack, error) {
	raw, err := os.Open(path + indexSuffix)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	index := idxfile.NewMemoryIndex()
	if err := idxfile.NewDecoder(bufio.NewReader(raw)).Decode(index); err != nil {
		return nil, err
	}
	file, err := os.Open(path + packSuffix)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() != size {
		err = fmt.Errorf("%w: it has %d bytes and had %d", errDamaged, info.Size(), size)
	}
	if err != nil {
		_ = file.Close() // the first error tells more
		return nil, err
	}
	return &pack{file: file, bytes: size, index: index, kept: true}, nil
}

// inUse tells that something of the mirror can be used.
func (m *mirror) inUse() bool { return m != nil && len(m.list.Commits) > 0 }

func (m *mirror) close() {
	if m != nil {
		closePacks(m.packs)
	}
}

func closePacks(packs []*pack) {
	for _, p := range packs {
		p.close()
	}
}

// begins makes a mirror one that begins anew.
func (m *mirror) begins() {
	m.close()
	m.anew, m.packs, m.list = true, nil, mirrorList{ID: rand.Text(), URL: m.list.URL}
}

// keep adds a commit whose whole tree was checked out to the mirror, with the pack that brought it, nil when there was none. What
// was removed or made anew by another meanwhile is left alone.
func (m *mirror) keep(commit mirrorCommit, p *pack) error {
	return m.all.locked(func() error {
		list, err := readList(m.dir)
		switch {
		case m.anew || err != nil:
			if len(m.packs) > 0 { // it was removed, and the pack may lean on what was in it
				return nil
			}
			list = m.list
		case list.ID != m.list.ID && len(m.packs) > 0, list.has(commit.Hash):
			return nil
		}
		if err := m.write(&list, commit, p); err != nil {
			return err
		}
		return m.all.tidy()
	})
}

// write puts files in their places, and then the list that names them.
func (m *mirror) write(list *mirrorList, commit mirrorCommit, p *pack) error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	if p != nil && p.count > 0 {
		name := packName{Name: plumbing.Hash(p.index.PackfileChecksum).String(), Bytes: p.bytes}
		path := filepath.Join(m.dir, name.Name)
		if err := writeIndex(path+indexSuffix, p.index); err != nil {
			return err
		}
		if err := os.Rename(p.name, path+packSuffix); err != nil {
			return err
		}
		p.name = ""
		list.Packs = append(slices.DeleteFunc(list.Packs, func(n packName) bool { return n.Name == name.Name }), name)
	}
	list.Commits = append([]mirrorCommit{commit}, list.Commits...)
	list.Commits = list.Commits[:min(len(list.Commits), maxCommits)]
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	path := filepath.Join(m.dir, listFile)
	if err := os.WriteFile(path+".new", raw, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return removeUnlisted(m.dir, list.Packs)
}

func writeIndex(path string, index *idxfile.MemoryIndex) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriter(file)
	if _, err := idxfile.NewEncoder(w).Encode(index); err != nil {
		return err
	}
	return w.Flush()
}
