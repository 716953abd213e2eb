package workflows_test

import (
	"context"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	sdktemporal "go.temporal.io/sdk/temporal"

	"github.com/slipway-dev/slipway/activities"
	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/temporal"
)

// scenario is one way that a workflow can go; its history is recorded under its name.
type scenario struct {
	workflow string // Deploy unless it says otherwise
	named    bool   // a reconciliation names what differs
	limits   func(*temporal.Limits)
	arrange  func(s *standIns, begun chan<- struct{})
	cancels  bool                                          // once begun is closed
	resets   func(history []*historypb.HistoryEvent) int64 // once begun is closed, or else after the end; recorded is the new run
	end      enumspb.EventType                             // of the workflow; completed unless it says otherwise
	code     string                                        // of the failure that it ends with; any when empty
}

func scenarios() map[string]scenario {
	return map[string]scenario{
		"success":   {},
		"reconcile": {workflow: temporal.WorkflowReconcile},
		"reconcile_with_hosts": {workflow: temporal.WorkflowReconcile, named: true, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["CompareTags"] = func(context.Context) error {
				return appError(deployment.AwayFailure(deployment.ComponentRegistry, "registry.unreachable", "", "connection refused"))
			}
		}},
		"teardown": {workflow: temporal.WorkflowTeardown},
		"user_failure_in_fetch": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["FetchSource"] = brokenOnce()
		}},
		"user_failure_in_plan": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["MakePlan"] = brokenOnce()
		}},
		"cancel_in_line": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
			s.on["ClaimHost"] = refused(begun)
		}},
		"no_build_slot_in_time": {
			end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, code: "deploy.no_build_slot", limits: func(l *temporal.Limits) { l.Line = time.Second },
			arrange: func(s *standIns, begun chan<- struct{}) { s.on["ClaimHost"] = refused(begun) },
		},
		"preview_host_gone": {arrange: func(s *standIns, _ chan<- struct{}) { s.places = []string{"gone"} }},
		"user_failure_in_build": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["BuildImage"] = brokenOnce()
		}},
		"user_failure_in_release": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["ReleasePreview"] = brokenOnce()
		}},
		"transient_failure_in_fetch": {arrange: func(s *standIns, _ chan<- struct{}) {
			var tries int
			s.on["FetchSource"] = func(context.Context) error {
				if tries++; tries > 1 {
					return nil
				}
				return appError(deployment.TransientFailure("git.unreachable", "", "connection refused"))
			}
		}},
		"cancel_during_resolve": canceledDuring("ResolveRef"),
		"cancel_during_fetch":   canceledDuring("FetchSource"),
		"cancel_during_plan":    canceledDuring("MakePlan"),
		"cancel_during_build":   canceledDuring("BuildImage"),
		"cancel_during_release": canceledDuring("ReleasePreview"),
		"superseded": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["ReleasePreview"] = func(context.Context) error {
				return sdktemporal.NewNonRetryableApplicationError("a newer one is live", activities.ErrTypeSuperseded, nil)
			}
		}},
		"rollback": {arrange: func(s *standIns, _ chan<- struct{}) { s.built = anImage }},
		"rollback_to_an_image_that_is_gone": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["ResolveRef"] = func(context.Context) error {
				return appError(deployment.UserFailure("image.gone", "deploy the commit again", "the image is gone"))
			}
		}},
		"cancel_during_rollback": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
			s.built = anImage
			s.on["ReleasePreview"] = untilCanceled(begun)
		}},
		"superseded_during_build": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
			s.on["BuildImage"] = untilCanceled(begun) // by a newer deployment, whose API call cancels the workflow
			s.close = func(temporal.CloseInput) temporal.CloseResult {
				return temporal.CloseResult{Outcome: deployment.StatusSuperseded}
			}
		}},
		"host_gone": {arrange: func(s *standIns, _ chan<- struct{}) { s.claims = []string{"gone"} }},
		"cancel_after_the_switch": {cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
			s.on["ReleasePreview"] = untilCanceled(begun) // the worker was cut off after it had switched
			s.close = func(temporal.CloseInput) temporal.CloseResult {
				return temporal.CloseResult{Outcome: deployment.StatusReady, Replaced: replaced()}
			}
		}},
		"retry": {resets: firstTask, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["BuildImage"] = brokenOnce()
		}},
		"retry_of_a_release": {resets: firstTask, arrange: func(s *standIns, _ chan<- struct{}) {
			var built atomic.Bool
			s.on["BuildImage"] = func(context.Context) error { built.Store(true); return nil }
			s.on["ReleasePreview"] = brokenOnce()
			s.built = func() temporal.BuildResult {
				if !built.Load() {
					return temporal.BuildResult{}
				}
				return anImage()
			}
		}},
		"retry_after_a_cancel": {cancels: true, resets: firstTask, arrange: func(s *standIns, begun chan<- struct{}) {
			s.on["BuildImage"] = untilCanceled(begun)
		}},
		"reset_of_the_last_task": {resets: lastTask, arrange: func(s *standIns, _ chan<- struct{}) {
			s.on["BuildImage"] = brokenOnce()
		}},
		"reset_of_what_is_live": {resets: firstTask, arrange: func(s *standIns, _ chan<- struct{}) {
			var runs int
			s.on["ResolveRef"] = func(context.Context) error {
				if runs++; runs == 1 {
					return nil
				}
				return sdktemporal.NewNonRetryableApplicationError("it is ready", activities.ErrTypeEnded, nil)
			}
			s.close = func(temporal.CloseInput) temporal.CloseResult {
				return temporal.CloseResult{Outcome: deployment.StatusReady}
			}
		}},
		"base_is_pulled_beside": {arrange: func(s *standIns, _ chan<- struct{}) {
			s.newBase = true
			pulled := make(chan struct{}) // in the order that the history has
			s.on["PullBase"] = func(context.Context) error { close(pulled); return nil }
			s.on["BuildImage"] = func(context.Context) error { <-pulled; return nil }
		}},
		"base_is_not_pulled": {arrange: func(s *standIns, _ chan<- struct{}) {
			s.newBase = true
			s.on["PushBase"] = brokenOnce()
		}},
		"base_takes_longer_than_the_deploy": {arrange: func(s *standIns, _ chan<- struct{}) {
			s.newBase = true
			begun := make(chan struct{})
			s.on["PullBase"] = untilCanceled(begun)
			s.on["BuildImage"] = func(context.Context) error { <-begun; return nil }
		}},
		"user_failure_in_build_beside_a_base": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.newBase = true
			begun := make(chan struct{})
			s.on["PullBase"] = untilCanceled(begun)
			broken := brokenOnce()
			s.on["BuildImage"] = func(ctx context.Context) error { <-begun; return broken(ctx) }
		}},
		"cancel_while_a_base_is_pulled": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
			s.newBase = true
			pulling := make(chan struct{})
			s.on["PullBase"] = untilCanceled(pulling)
			building := make(chan struct{})
			s.on["BuildImage"] = untilCanceled(building)
			go func() { <-pulling; <-building; close(begun) }()
		}},
		"cache_is_kept": {arrange: func(s *standIns, _ chan<- struct{}) { s.cached = "unix:///b" }},
		"cache_is_not_kept": {arrange: func(s *standIns, _ chan<- struct{}) {
			s.cached = "unix:///b"
			s.on["ExportCache"] = brokenOnce()
		}},
		"cancel_while_the_cache_is_kept": {cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
			s.cached = "unix:///b"
			s.on["ExportCache"] = untilCanceled(begun)
		}},
		"user_failure_in_release_of_a_kept_workspace": {end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, arrange: func(s *standIns, _ chan<- struct{}) {
			s.cached = "unix:///b"
			s.on["ReleasePreview"] = brokenOnce()
		}},
		"deadline_passed": {
			end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, code: "deploy.deadline_exceeded", limits: func(l *temporal.Limits) { l.Deploy = time.Second },
			arrange: func(s *standIns, begun chan<- struct{}) { s.on["BuildImage"] = untilCanceled(begun) },
		},
		"lease": {workflow: temporal.WorkflowLease, arrange: func(s *standIns, _ chan<- struct{}) {
			s.looks = []temporal.LeaseLook{
				leaseLook("p1", "", 50*time.Millisecond), leaseLook("p1", deployment.LeaseSleep, 0), leaseLook("p1", deployment.LeaseStart, 0), leaseLook("p1", deployment.LeaseStop, 0),
			}
		}},
		"lease_of_a_host_that_is_gone": {workflow: temporal.WorkflowLease, arrange: func(s *standIns, _ chan<- struct{}) {
			s.looks = []temporal.LeaseLook{leaseLook("gone", deployment.LeaseStart, 0), leaseLook("gone", deployment.LeaseStop, 0)}
		}},
		"lease_in_trouble": {
			workflow: temporal.WorkflowLease, arrange: func(s *standIns, _ chan<- struct{}) {
				look := leaseLook("p1", deployment.LeaseStart, 0)
				look.Limits.Attempts, look.Limits.RetryInitial, look.Limits.RetryMaximum = 1, 50*time.Millisecond, 50*time.Millisecond
				s.looks = []temporal.LeaseLook{look, look}
				s.on["StartPreview"] = brokenOnce()
			},
		},
		"lease_with_new_limits": {workflow: temporal.WorkflowLease, arrange: func(s *standIns, _ chan<- struct{}) {
			changed := leaseLook("p1", deployment.LeaseStart, 0)
			changed.Limits.Release, changed.Limits.Attempts, changed.Limits.Short = time.Hour, 1, 20*time.Second
			s.looks = []temporal.LeaseLook{leaseLook("p1", deployment.LeaseSleep, 0), changed}
		}},
		"lease_of_what_does_not_come_up": {workflow: temporal.WorkflowLease, arrange: func(s *standIns, _ chan<- struct{}) {
			s.looks = []temporal.LeaseLook{
				leaseLook("p1", deployment.LeaseStart, 0), leaseLook("p1", "", 50*time.Millisecond), leaseLook("p1", deployment.LeaseStart, 0),
			}
			s.starts = []temporal.LeaseResult{{Done: true, Failure: deployment.UserFailure("release.app_exited", "read its log", "exit 1")}}
		}},
		"cancel_of_a_lease": {
			workflow: temporal.WorkflowLease, cancels: true, end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
			arrange: func(s *standIns, begun chan<- struct{}) {
				s.looks = []temporal.LeaseLook{leaseLook("p1", deployment.LeaseSleep, 0), leaseLook("p1", "", time.Hour)}
				s.on["SleepPreview"] = untilCanceled(begun)
			},
		},
		"reset_while_it_goes_on": {resets: lastTask, arrange: func(s *standIns, begun chan<- struct{}) {
			s.on["BuildImage"] = untilCanceled(begun)
		}},
	}
}

func leaseLook(host string, act deployment.LeaseAct, after time.Duration) temporal.LeaseLook {
	return temporal.LeaseLook{
		Act: act, Why: "nobody has asked for it", After: after, Project: "app", Environment: "branch/a", Number: 1, DeploymentID: deploymentID,
		State: deployment.PreviewLive, Wanted: deployment.WantedRunning, HostID: host, HostLives: true, Limits: quickLimits(),
	}
}

func canceledDuring(name string) scenario {
	return scenario{end: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, cancels: true, arrange: func(s *standIns, begun chan<- struct{}) {
		s.on[name] = untilCanceled(begun)
	}}
}

// firstTask is where a retry resets a run to.
func firstTask(history []*historypb.HistoryEvent) int64 {
	for _, e := range history {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			return e.GetEventId()
		}
	}
	return 0
}

func lastTask(history []*historypb.HistoryEvent) (last int64) {
	for _, e := range history {
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			last = e.GetEventId()
		}
	}
	return last
}
