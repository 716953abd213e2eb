package source

import (
	"context"
	"errors"
	"io"
)

// errTooLarge says that a server sent, or a tree holds, more than Options.MaxBytes.
var errTooLarge = errors.New("larger than the limit")

// budget counts what a session receives. It remembers that it ran out, because go-git does not always keep the error
// that a reader returned.
type budget struct {
	left int64
	out  bool
}

func (b *budget) reader(r io.Reader) io.Reader { return &budgetReader{r: r, budget: b} }

type budgetReader struct {
	r      io.Reader
	budget *budget
}

func (r *budgetReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.budget.left -= int64(n); r.budget.left < 0 {
		r.budget.out = true
		return 0, errTooLarge
	}
	return n, err
}

// contextReader ends when its context does; between reads at least.
type contextReader struct {
	ctx context.Context // io.Reader has no other way to take one
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// contextWriter ends when its context does; between writes at least.
type contextWriter struct {
	ctx context.Context // io.Writer has no other way to take one
	w   io.Writer
}

// Write implements io.Writer.
func (w *contextWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
