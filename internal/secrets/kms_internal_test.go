package secrets

import (
	"testing"

	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
)

// A KMS that is busy, or in trouble of its own, is asked again; local-kms cannot be made to say so.
func TestKMSIsBusy(t *testing.T) {
	t.Parallel()
	for _, answer := range []*smithy.GenericAPIError{
		{Code: "ThrottlingException", Fault: smithy.FaultClient}, {Code: "KMSInternalException", Fault: smithy.FaultServer},
	} {
		f := deployment.AsFailure(kmsKey("aws-kms://key").failure(t.Context(), "encrypt", answer))
		require.Equal(t, "keyset.kms_busy", f.Code)
		require.Equal(t, deployment.ClassTransient, f.Class)
	}
	f := deployment.AsFailure(kmsKey("aws-kms://key").failure(t.Context(), "encrypt", &smithy.GenericAPIError{Code: "DisabledException"}))
	require.Equal(t, deployment.ClassPlatform, f.Class)
}
