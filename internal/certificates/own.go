package certificates

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// own is the certificate in an operator's files, read again when they change.
type own struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	files  [2]stamp
	loaded *tls.Certificate
}

// stamp tells one state of a file from another.
type stamp struct {
	size     int64
	modified time.Time
	inode    fs.FileInfo
}

func (s stamp) same(other stamp) bool {
	return s.size == other.size && s.modified.Equal(other.modified) && os.SameFile(s.inode, other.inode)
}

// openOwn reads the files; nil without any.
func openOwn(certFile, keyFile string, log *slog.Logger) (*own, error) {
	if certFile == "" {
		return nil, nil //nolint:nilnil // none is no error
	}
	o := &own{certFile: certFile, keyFile: keyFile, log: log}
	if err := o.load(); err != nil {
		return nil, fmt.Errorf("read the certificate of SLIPWAY_TLS_CERT_FILE: %w", err)
	}
	return o, nil
}

// certificate returns the certificate if it covers a name, or if a visitor says no name.
func (o *own) certificate(name string) *tls.Certificate {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.follow()
	if name == "" || o.loaded.Leaf.VerifyHostname(name) == nil {
		return o.loaded
	}
	return nil
}

// follow reads the files again when they are others than before. Files that do not fit, as while they are being replaced, leave what
// was read before in force.
func (o *own) follow() {
	now, err := o.stamps()
	if err == nil && now[0].same(o.files[0]) && now[1].same(o.files[1]) {
		return
	}
	if err == nil {
		err = o.load()
	}
	if err != nil {
		o.log.Warn("cannot read the certificate of SLIPWAY_TLS_CERT_FILE again; the one before is used", "error", err, "expires", o.loaded.Leaf.NotAfter)
		return
	}
	o.log.Info("read the certificate of SLIPWAY_TLS_CERT_FILE again", "expires", o.loaded.Leaf.NotAfter)
}

func (o *own) load() error {
	files, err := o.stamps()
	if err != nil {
		return err
	}
	loaded, err := tls.LoadX509KeyPair(o.certFile, o.keyFile)
	if err != nil {
		return err
	}
	o.files, o.loaded = files, &loaded
	return nil
}

func (o *own) stamps() (stamps [2]stamp, err error) {
	for i, path := range []string{o.certFile, o.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return stamps, err
		}
		stamps[i] = stamp{size: info.Size(), modified: info.ModTime(), inode: info}
	}
	return stamps, nil
}
