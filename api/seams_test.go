package api_test

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/slipway-dev/slipway/api"
	"github.com/slipway-dev/slipway/internal/deployment"
)

// memLogs is api.LogReader over lines in memory, so that a test says exactly when a line comes and when a reader wakes.
type memLogs struct {
	mu      sync.Mutex
	lines   map[string][]deployment.LogLine
	changed chan struct{}

	waiting sync.WaitGroup // the Waits that have not returned
}

var _ api.LogReader = (*memLogs)(nil)

func newMemLogs() *memLogs {
	return &memLogs{lines: map[string][]deployment.LogLine{}, changed: make(chan struct{})}
}

func (l *memLogs) Lines(_ context.Context, id string, after int64, limit int) ([]deployment.LogLine, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.lines[id]
	from := min(int(after), len(all))
	return all[from:min(from+limit, len(all))], nil
}

func (l *memLogs) Wait(ctx context.Context, id string, after int64, _ bool, timeout time.Duration) error {
	l.waiting.Add(1)
	defer l.waiting.Done()
	l.mu.Lock()
	grown, changed := len(l.lines[id]) > int(after), l.changed
	l.mu.Unlock()
	if grown {
		return nil
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// add appends lines with the next numbers and wakes readers; without lines it only wakes them.
func (l *memLogs) add(id string, texts ...string) { l.append(id, deployment.StepBuild, texts) }

// addApp appends lines that the app printed.
func (l *memLogs) addApp(id string, texts ...string) { l.append(id, deployment.StepApp, texts) }

func (l *memLogs) append(id string, step deployment.StepName, texts []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range texts {
		l.lines[id] = append(l.lines[id], deployment.LogLine{
			Seq: int64(len(l.lines[id]) + 1), Time: time.Now(), Step: step, Attempt: 1,
			Stream: deployment.StreamStdout, Text: text,
		})
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// recorder is api.Deploys; it notes what was asked for.
type recorder struct {
	mu                                     sync.Mutex
	started, canceled, retried, tornDown   []string
	startErr, cancelErr, retryErr, pingErr error
}

var _ api.Deploys = (*recorder)(nil)

func (r *recorder) Start(_ context.Context, d deployment.Deployment, _ deployment.Project) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.started = append(r.started, d.ID)
	return r.startErr
}

func (r *recorder) Cancel(_ context.Context, id string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.canceled = append(r.canceled, id)
	return true, r.cancelErr
}

func (r *recorder) Retry(_ context.Context, d deployment.Deployment, p deployment.Project) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retried = append(r.retried, p.Name+" "+d.RunID)
	return "another-run", r.retryErr
}

func (r *recorder) Teardown(_ context.Context, d deployment.Deletion) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tornDown = append(r.tornDown, d.ID())
	return nil
}

func (r *recorder) Ping(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pingErr
}

// fewHostsGuard refuses by name what the real guard refuses after asking the resolver, and trusts one origin as
// slipway-dev's trusts the server of its examples.
type fewHostsGuard struct{}

const trustedOrigin = "http://127.0.0.1:9418/"

func (fewHostsGuard) CheckURL(_ context.Context, raw string) *deployment.FieldError {
	if strings.HasPrefix(raw, trustedOrigin) {
		return nil
	}
	for _, inside := range []string{"127.0.0.1", "169.254.169.254", "localtest"} {
		if strings.Contains(raw, inside) {
			return &deployment.FieldError{Field: "repo_url", Fault: "leads to an address inside", Fix: "give a public host"}
		}
	}
	return deployment.ValidateRepoURL(raw, []string{"https", "ssh"})
}

func (fewHostsGuard) DefaultBranch(context.Context, deployment.Repository) (string, error) {
	return "main", nil
}

func (fewHostsGuard) CheckCredential(repoURL string, c deployment.GitCredential) (deployment.GitCredential, []*deployment.FieldError) {
	u, err := deployment.ParseRepoURL(repoURL)
	if err != nil {
		panic(err) // the projects of these tests have good URLs
	}
	c.Origin = deployment.OriginOf(u)
	return c, nil
}

// reversing is a cipher for values that no test reads back.
type reversing struct{}

func (reversing) Encrypt(plain, _ []byte) ([]byte, error) {
	sealed := []byte{0}
	for i := range plain {
		sealed = append(sealed, plain[len(plain)-1-i])
	}
	return sealed, nil
}

func (reversing) Decrypt([]byte, []byte) ([]byte, error) { panic("the API never reads a value") }
