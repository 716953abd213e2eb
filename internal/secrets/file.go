package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/gofrs/flock"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/privatefile"
)

// Place is where a keyset lies.
type Place struct {
	File string
	KMS  string // the key in AWS KMS that wraps the file, as aws-kms://arn:…; empty: the keys lie there in clear
}

// content is what a keyset file holds: keys in clear, which tink calls insecure and the file's mode guards, or wrapped.
type content struct {
	clear   *keyset.Handle
	wrapped *tinkpb.EncryptedKeyset
}

var errNoKeys = errors.New("this is no keyset")

// read returns what the place's file holds, in whatever form.
func (p Place) read() (content, fs.FileInfo, error) {
	data, info, err := privatefile.Read(p.File)
	if err != nil {
		return content{}, nil, err
	}
	c, err := parse(data)
	return c, info, err
}

func parse(data []byte) (content, error) {
	wrapped, err := keyset.NewJSONReader(bytes.NewReader(data)).ReadEncrypted()
	if err == nil && len(wrapped.GetEncryptedKeyset()) > 0 {
		return content{wrapped: wrapped}, nil
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	if err != nil {
		return content{}, fmt.Errorf("read keys: %w: %w", errNoKeys, err)
	}
	return content{clear: handle}, nil
}

// Holds reports whether the keyset file at path has all keys of another keyset file's content, wrapped or not, and so opens all
// that those have sealed. A file without keys holds none.
func Holds(path string, content []byte) (bool, error) {
	there, _, err := Place{File: path}.read()
	if errors.Is(err, errNoKeys) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	other, err := parse(content)
	if err != nil {
		return false, err
	}
	for _, key := range other.info().GetKeyInfo() {
		same := func(k *tinkpb.KeysetInfo_KeyInfo) bool { return k.GetKeyId() == key.GetKeyId() }
		if !slices.ContainsFunc(there.info().GetKeyInfo(), same) {
			return false, nil
		}
	}
	return true, nil
}

// info names the keys, which a wrapped file does in clear.
func (c content) info() *tinkpb.KeysetInfo {
	if c.wrapped != nil {
		return c.wrapped.GetKeysetInfo()
	}
	return c.clear.KeysetInfo()
}

// open returns the keys of a file of the place. One in another form than the place's is refused: it would stay so unseen.
func (p Place) open(ctx context.Context, c content) (*keyset.Handle, error) {
	switch {
	case c.wrapped != nil && p.KMS == "":
		return nil, deployment.PlatformFailure("keyset.wrapped", "name the key of KMS that it was wrapped with in SLIPWAY_KEYSET_KMS",
			"its keys are wrapped by a KMS, and SLIPWAY_KEYSET_KMS is not set")
	case c.wrapped == nil && p.KMS != "":
		return nil, deployment.PlatformFailure("keyset.clear", "wrap it with `slipway admin keys wrap`, or unset SLIPWAY_KEYSET_KMS",
			"its keys lie there in clear, and SLIPWAY_KEYSET_KMS names a key to wrap them")
	case c.wrapped != nil:
		return unwrap(ctx, p.KMS, c.wrapped)
	default:
		return c.clear, nil
	}
}

// encode returns what the place's file is to hold.
func (p Place) encode(ctx context.Context, handle *keyset.Handle) ([]byte, error) {
	var data bytes.Buffer
	writer := keyset.NewJSONWriter(&data)
	if p.KMS == "" {
		if err := insecurecleartextkeyset.Write(handle, writer); err != nil {
			return nil, fmt.Errorf("write keys: %w", err)
		}
		return data.Bytes(), nil
	}
	wrapped, err := wrap(ctx, p.KMS, handle)
	if err != nil {
		return nil, err
	}
	if err := writer.WriteEncrypted(wrapped); err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	return data.Bytes(), nil
}

// create makes the file with a first key, unless another process is quicker.
func (p Place) create(ctx context.Context) error {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	data, err := p.encode(ctx, handle)
	if err != nil {
		return err
	}
	if err := privatefile.Create(p.File, data); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// replace puts handle in the place of the file at once: a reader sees the old keys or the new ones.
func (p Place) replace(ctx context.Context, handle *keyset.Handle) error {
	data, err := p.encode(ctx, handle)
	if err != nil {
		return err
	}
	return privatefile.Replace(p.File, data)
}

// lock keeps two processes from changing the same file at once.
func (p Place) lock(ctx context.Context) (unlock func(), err error) {
	l := flock.New(p.File + ".lock")
	if _, err := l.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return nil, fmt.Errorf("lock %s: %w", p.File, err)
	}
	if err := privatefile.Adopt(l.Path(), p.File); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", p.File, err), l.Close())
	}
	return func() { _ = l.Close() }, nil // closing the file is what unlocks it
}
