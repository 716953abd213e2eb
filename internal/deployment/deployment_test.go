package deployment_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

func TestStatus_EveryDeployCanEnd(t *testing.T) {
	t.Parallel()
	for _, s := range deployment.Statuses() {
		if s.Ended() {
			require.False(t, s.Cancelable(), s)
			continue
		}
		require.True(t, s.CanBecome(deployment.StatusCanceled), "%s must be able to end canceled", s)
		require.True(t, s.CanBecome(deployment.StatusSuperseded), "%s must be able to end superseded", s)
		require.True(t, s.CanBecome(deployment.StatusFailed), "%s must be able to end failed", s)
	}
}

func TestStatus_ReadyIsFinal(t *testing.T) {
	t.Parallel()
	require.Empty(t, deployment.StatusReady.Next())
	require.Empty(t, deployment.StatusSuperseded.Next())
	require.Equal(t, []deployment.Status{deployment.StatusQueued}, deployment.StatusFailed.Next())
	require.False(t, deployment.StatusCanceling.CanBecome(deployment.StatusReady), "a cancel that was accepted is not overtaken")
	require.True(t, deployment.StatusReleasing.CanBecome(deployment.StatusReady))
}

func TestHostNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0abc1234-preview.localhost", deployment.PreviewHost("0198c5a0-7c00-7abc-8def-12340ABC1234", "localhost"))
	require.Equal(t, "shop.localhost", deployment.EnvironmentHost("shop", "production", "localhost"))
	require.Equal(t, "shop-feature-x-preview.localhost", deployment.EnvironmentHost("shop", "branch/feature/x", "localhost"))
	require.Equal(t, "shop-pr-7-preview.localhost", deployment.EnvironmentHost("shop", "pr/7", "localhost"))
}

func TestEnvironmentHost_LongNamesStayLabelsAndDiffer(t *testing.T) {
	t.Parallel()
	a := deployment.EnvironmentHost("shop", "branch/"+strings.Repeat("x", 200)+"a", "localhost")
	b := deployment.EnvironmentHost("shop", "branch/"+strings.Repeat("x", 200)+"b", "localhost")
	require.NotEqual(t, a, b)
	label, _, _ := strings.Cut(a, ".")
	require.LessOrEqual(t, len(label), 63)
	require.True(t, strings.HasSuffix(label, "-preview"))
}

func TestEnvironmentHostHashed_TellsCollidingNamesApart(t *testing.T) {
	t.Parallel()
	require.Equal(t, deployment.EnvironmentHost("shop", "branch/a/b", "d"), deployment.EnvironmentHost("shop", "branch/a-b", "d"))
	require.NotEqual(t, deployment.EnvironmentHostHashed("shop", "branch/a/b", "d"), deployment.EnvironmentHostHashed("shop", "branch/a-b", "d"))
}

func TestAsFailure_KeepsThePathOfCauses(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	err := fmt.Errorf("fetch: %w", deployment.TransientFailure("source.unreachable", "try again", "connect: %w", cause))
	f := deployment.AsFailure(err)
	require.Equal(t, "source.unreachable", f.Code)
	require.Equal(t, "fetch: connect: connection refused", f.Error())
	require.ErrorIs(t, err, cause)
	require.Equal(t, deployment.ClassPlatform, deployment.AsFailure(cause).Class)
}

func TestPlan_DigestIsOfTheContent(t *testing.T) {
	t.Parallel()
	plan := deployment.Plan{Builder: deployment.BuilderNixpacks, Variables: map[string]string{"A": "1", "B": "2"}}
	one, err := plan.Digest()
	require.NoError(t, err)
	same := deployment.Plan{Builder: deployment.BuilderNixpacks, Variables: map[string]string{"B": "2", "A": "1"}}
	two, err := same.Digest()
	require.NoError(t, err)
	require.Equal(t, one, two)
	same.StartCommand = "node ."
	three, err := same.Digest()
	require.NoError(t, err)
	require.NotEqual(t, one, three)
}
