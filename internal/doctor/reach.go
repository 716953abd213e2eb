package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/registry"
)

// network tells whether the air-gapped profile is needed.
func network(ctx context.Context, m Machine) Finding {
	const fix = "builds need the air-gapped profile: `make up` chooses it by itself; else set SLIPWAY_PLAN_OVERRIDES and SLIPWAY_DOCKER_MIRROR, " +
		"and add images with `slipway admin images add`"
	airGapped := m.Config.Planner.Overrides != "" || m.Config.BuildKit.DockerMirror
	err := registry.Answers(ctx, m.PublicRegistry)
	var dns *net.DNSError
	switch {
	case err == nil:
		return ok("public image registries can be reached")
	case airGapped:
		return ok("air-gapped profile; public image registries cannot be reached: %v", err)
	case errors.As(err, &dns):
		return warning(fix+"; or correct /etc/resolv.conf", "names of the internet are not resolved: %v", dns)
	}
	return warning(fix, "public image registries cannot be reached: %v", err)
}

// maxSkew is how far two clocks may be apart before times in logs and the end of tokens mislead. The API tells its time in
// whole seconds.
const maxSkew = 5 * time.Second

// apiServer looks at the API that the CLI uses.
func apiServer(ctx context.Context, m Machine) []Finding {
	const fix = "start slipway there, or name another API with `slipway login` or SLIPWAY_API_URL"
	asked := time.Now()
	ready, err := m.get(ctx, "/readyz")
	answered := time.Now()
	if u, parseErr := url.Parse(m.APIURL); err != nil && parseErr == nil && errors.Is(err, syscall.ECONNREFUSED) && onLoopback(u.Host) && runningDev(ctx, m) == 0 {
		return []Finding{skipped("nothing listens at %s; slipway-dev serves it while it runs", m.APIURL)}
	}
	if err != nil {
		return []Finding{failed(fix, "%v", err)}
	}
	defer ready.Body.Close()
	var state struct {
		Status     string
		Components map[string]struct{ Status string }
	}
	if err := json.NewDecoder(io.LimitReader(ready.Body, 1<<20)).Decode(&state); err != nil || state.Status == "" {
		return []Finding{failed(fix, "what answers at %s is not slipway's API (%s)", m.APIURL, ready.Status)}
	}
	own := ok("%s is ready", m.APIURL)
	maps.DeleteFunc(state.Components, func(_ string, c struct{ Status string }) bool { return c.Status == "ok" })
	if away := strings.Join(slices.Sorted(maps.Keys(state.Components)), ", "); away != "" {
		own = failed("see what is said of "+away+" here, and the API's log", "%s answers, but not its %s", m.APIURL, away)
	}
	return []Finding{own, m.token(ctx), skew(ready.Header.Get("Date"), asked, answered)}
}

func (m Machine) token(ctx context.Context) Finding {
	const fix = "`slipway login`, or set SLIPWAY_TOKEN; slipway-dev keeps its first token in admin.token of its data directory"
	if m.Token == "" {
		return warning(fix, "no token is stored or set")
	}
	resp, err := m.get(ctx, "/v1/projects?limit=1")
	if err != nil {
		return failed("try again", "%v", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return ok("the token is valid")
	case http.StatusUnauthorized:
		return failed(fix, "the token is not valid")
	default:
		return failed("see the API's log", "the API answers %s", resp.Status)
	}
}

func (m Machine) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.APIURL+path, nil)
	if err != nil {
		return nil, err
	}
	if m.Token != "" {
		req.Header.Set("Authorization", "Bearer "+m.Token)
	}
	return http.DefaultClient.Do(req)
}

// skew compares the API's clock with this machine's, which was asked before and after.
func skew(date string, before, after time.Time) Finding {
	there, err := http.ParseTime(date)
	if err != nil {
		return skipped("the API does not tell its time")
	}
	apart := before.Sub(there.Add(time.Second)) // the second that Date names has not ended
	if there.After(after) {
		apart = there.Sub(after)
	}
	if apart > maxSkew {
		return warning("let both take their time from the network (NTP)", "the clocks of the API and of this machine are %s apart", apart.Round(time.Second))
	}
	return ok("clocks agree")
}
