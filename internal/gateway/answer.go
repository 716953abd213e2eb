package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// notReady is the code of what is under way.
const notReady = "gateway.not_ready"

// answer is what the gateway itself says about a host name, as a page or as a problem document.
type answer struct {
	status  int
	code    string // stable, e.g. "gateway.unknown_host"
	title   string
	detail  string
	fix     string
	refresh int // seconds after which it is worth asking again; 0 for never
	route   *deployment.Route
	failure *deployment.Failure
}

func unknownHost(host string) answer {
	return answer{
		status: http.StatusNotFound, code: "gateway.unknown_host", title: "No preview here",
		detail: fmt.Sprintf("No deployment has the host name %q. Check the address, or whether its project was deleted.", host),
	}
}

func noRoutes() answer {
	return answer{
		status: http.StatusServiceUnavailable, code: "gateway.unavailable", title: "Cannot look this preview up", refresh: 3,
		detail: "The gateway cannot read its routes at the moment. Previews that were visited lately stay reachable.",
	}
}

func tooLarge(r deployment.Route, limit int64) answer {
	return answer{
		status: http.StatusRequestEntityTooLarge, code: "gateway.body_too_large", title: "The request is too large", route: &r,
		detail: fmt.Sprintf("A request to a preview may carry %d bytes. Send less, or have the operator raise SLIPWAY_MAX_REQUEST_BODY.", limit),
	}
}

func drained(r deployment.Route) answer {
	return answer{
		status: http.StatusServiceUnavailable, code: "gateway.drained", title: "This took too long", route: &r, refresh: 1,
		detail: "The app was replaced while it worked on the answer, and was not done when its time was over. Ask again: the new one answers.",
	}
}

// notLive says how a deployment stands that no container answers for.
func notLive(r deployment.Route) answer {
	a := answer{route: &r}
	switch {
	case r.ReplacedBy > 0:
		a.status, a.code, a.title = http.StatusGone, "gateway.replaced", fmt.Sprintf("Replaced by deployment #%d", r.ReplacedBy)
		a.detail = "A newer deployment of this environment is live, and this one was stopped."
	case r.Status == deployment.StatusFailed:
		a.status, a.code, a.title, a.failure = http.StatusBadGateway, "gateway.failed", "This deployment failed", r.Failure
		a.detail = "The deployment failed before its preview was live."
	case r.Status == deployment.StatusCanceled, r.Status == deployment.StatusCanceling:
		a.status, a.code, a.title = http.StatusGone, "gateway.canceled", "This deployment was canceled"
		a.detail = "Somebody canceled the deployment before its preview was live."
	case r.Status == deployment.StatusSuperseded:
		a.status, a.code, a.title = http.StatusGone, "gateway.superseded", "This deployment was superseded"
		a.detail = "A newer deployment of the same environment came first."
	case r.Status == deployment.StatusReady:
		return notRunning(a)
	default:
		a.status, a.code, a.title, a.refresh = http.StatusServiceUnavailable, notReady, underWay(r.Status), 3
		a.detail = "The preview opens here by itself when it is ready."
	}
	return a
}

// notRunning says why a deployment that was ready has no container now.
func notRunning(a answer) answer {
	r := a.route
	name := fmt.Sprintf("%s#%d", r.Project, r.DeploymentNumber)
	start := fmt.Sprintf("Start it with `slipway previews start %s`, or deploy again.", name)
	a.status, a.failure = http.StatusServiceUnavailable, r.Failure
	switch {
	case r.NextStartAt != nil && r.ExpiredAt == nil && r.Wanted != deployment.WantedStopped:
		a.code, a.title = "gateway.start_failed", "This preview could not be started"
		a.refresh = 1 + max(0, int(time.Until(*r.NextStartAt).Seconds()))
		a.detail = "It is tried again at " + r.NextStartAt.UTC().Format("15:04:05 UTC") + ", and opens here by itself if it comes up."
	case r.State == deployment.PreviewFailed:
		a.status, a.code, a.title = http.StatusBadGateway, "gateway.crashed", "This preview has crashed"
		a.detail, a.fix = "The app ran and then ended.", fmt.Sprintf("Read its log with `slipway logs %s`. ", name)+start
	case r.ExpiredAt != nil:
		a.code, a.title, a.fix = "gateway.expired", "This preview has expired", start
		a.detail = "Its time was over on " + r.ExpiredAt.UTC().Format("2 January 2006 at 15:04 UTC") + ", and its container was removed."
	case r.Failure != nil:
		a.code, a.title, a.fix = "gateway.start_failed", "This preview could not be started", start
		a.detail = "Its container was stopped, and could not be started again."
	case r.State == deployment.PreviewAsleep && r.Wanted != deployment.WantedStopped:
		a.code, a.title, a.fix = "gateway.asleep", "This preview is asleep", start
		a.detail = "It was not used for a while."
	case r.Wanted == deployment.WantedStopped || r.State == deployment.PreviewStopped:
		a.code, a.title, a.fix = "gateway.stopped", "This preview is stopped", start
		a.detail = "Somebody stopped it, and a visit does not start it."
	default: // between the switch and the next look
		a.code, a.title, a.refresh = notReady, "Starting", 1
		a.detail = "The preview opens here by itself when it is ready."
	}
	return a
}

// waking says what is still done to have a preview live when its visitor has waited long.
func waking(r deployment.Route) *answer {
	a := answer{status: http.StatusServiceUnavailable, route: &r, refresh: 1, failure: r.Failure}
	switch {
	case r.State == deployment.PreviewFailed || r.Failure != nil:
		a.code, a.title = "preview.retrying", "Trying to start this preview"
		a.detail = "It has not come up so far, and is tried again. It opens here by itself if it comes up."
	case r.State == deployment.PreviewAsleep:
		a.code, a.title = "preview.waking", "Waking up"
		a.detail = "This preview was asleep, since nobody had used it for a while, and is being started. It opens here by itself."
	default:
		a.code, a.title = "preview.starting", "Starting"
		a.detail = "This preview is being started. It opens here by itself."
	}
	return &a
}

func crowded(r deployment.Route) *answer {
	return &answer{
		status: http.StatusServiceUnavailable, code: "preview.crowded", title: "Starting", route: &r, refresh: 2,
		detail: "This preview is being started, and as many requests as the gateway holds wait for it. Ask again in a moment.",
	}
}

func underWay(s deployment.Status) string {
	switch s {
	case deployment.StatusFetching:
		return "Fetching the source"
	case deployment.StatusPlanning:
		return "Planning the build"
	case deployment.StatusBuilding:
		return "Building"
	case deployment.StatusReleasing:
		return "Starting the app"
	default:
		return "Waiting to be built"
	}
}

// unreachable says that a live preview did not answer as HTTP. Addresses and the transport's words stay in the log.
func unreachable(r deployment.Route, err error) answer {
	a := answer{
		status: http.StatusBadGateway, code: "gateway.upstream_failed", title: "The app broke off", route: &r,
		detail: "The app took the request and closed the connection without a whole HTTP answer. Read its log.",
	}
	var dial *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		a.code, a.title, a.refresh = "gateway.upstream_refused", "The app does not accept connections", 5
		a.detail = "The preview's container is there or restarting, but nothing listens on its port. Read its log."
	case errors.As(err, &dial) && dial.Op == "dial":
		a.code, a.title, a.refresh = "gateway.upstream_unreachable", "The app cannot be reached", 5
		a.detail = "The preview's container does not answer: it may be gone or overloaded."
	}
	return a
}

// step returns the step that a deployment under way is in, empty for one that has ended or waits.
func step(s deployment.Status) deployment.StepName {
	for _, name := range deployment.Steps() {
		if name.Status() == s {
			return name
		}
	}
	return ""
}
