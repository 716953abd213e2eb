package secrets

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/slipway-dev/slipway/internal/deployment"
)

const (
	kmsScheme = "aws-kms://"
	// kmsLimit bounds one call to KMS with its retries: who seals is waiting for it.
	kmsLimit = 10 * time.Second
)

// wrap encrypts keys with a key of KMS, in tink's own format. KMS sees a data key only: it would take no more than 4096 bytes,
// which about forty keys are.
func wrap(ctx context.Context, kms string, handle *keyset.Handle) (*tinkpb.EncryptedKeyset, error) {
	envelope, err := aead.NewKMSEnvelopeAEADWithContext(aead.AES256GCMKeyTemplate(), kmsKey(kms))
	if err != nil {
		return nil, err
	}
	var plain bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&plain)); err != nil {
		return nil, fmt.Errorf("write keys: %w", err)
	}
	sealed, err := envelope.EncryptWithContext(ctx, plain.Bytes(), nil)
	if err != nil {
		return nil, err
	}
	return &tinkpb.EncryptedKeyset{EncryptedKeyset: sealed, KeysetInfo: handle.KeysetInfo()}, nil
}

// unwrap decrypts what wrap has made.
func unwrap(ctx context.Context, kms string, wrapped *tinkpb.EncryptedKeyset) (*keyset.Handle, error) {
	envelope, err := aead.NewKMSEnvelopeAEADWithContext(aead.AES256GCMKeyTemplate(), kmsKey(kms))
	if err != nil {
		return nil, err
	}
	plain, err := envelope.DecryptWithContext(ctx, wrapped.GetEncryptedKeyset(), nil)
	if err != nil {
		return nil, fmt.Errorf("unwrap keys: %w", err)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(plain)))
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	return handle, nil
}

// kmsKey is a key in AWS KMS by its tink URI. Credentials are looked for at each call, by the AWS SDK's default chain: calls are
// rare, and credentials end.
type kmsKey string

var _ tink.AEADWithContext = kmsKey("")

// EncryptWithContext lets KMS encrypt plain.
func (k kmsKey) EncryptWithContext(ctx context.Context, plain, aad []byte) ([]byte, error) {
	return k.ask(ctx, "encrypt", func(ctx context.Context, key tink.AEADWithContext) ([]byte, error) {
		return key.EncryptWithContext(ctx, plain, aad)
	})
}

// DecryptWithContext lets KMS decrypt sealed.
func (k kmsKey) DecryptWithContext(ctx context.Context, sealed, aad []byte) ([]byte, error) {
	return k.ask(ctx, "decrypt", func(ctx context.Context, key tink.AEADWithContext) ([]byte, error) {
		return key.DecryptWithContext(ctx, sealed, aad)
	})
}

func (k kmsKey) ask(ctx context.Context, what string, question func(context.Context, tink.AEADWithContext) ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, kmsLimit, fmt.Errorf("no answer within %s", kmsLimit))
	defer cancel()
	key, err := awskms.NewAEADWithContext(ctx, strings.TrimPrefix(string(k), kmsScheme))
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", what, k, err)
	}
	answer, err := question(ctx, key)
	if err != nil {
		return nil, k.failure(ctx, what, err)
	}
	return answer, nil
}

// failure says what to do about a call to KMS that brought nothing.
func (k kmsKey) failure(ctx context.Context, what string, err error) error {
	refusal, answered := errors.AsType[smithy.APIError](err)
	if answered && (refusal.ErrorFault() == smithy.FaultServer || refusal.ErrorCode() == "ThrottlingException") {
		return deployment.TransientFailure("keyset.kms_busy", "nothing: KMS is asked again", "%s with %s: %w", what, k, err)
	}
	if answered {
		fix, known := kmsFixes[refusal.ErrorCode()]
		if !known {
			fix = "see to the key and its policy in KMS, and to the credentials that slipway runs with"
		}
		return deployment.PlatformFailure("keyset.kms_refused", fix, "%s with %s: %w", what, k, err)
	}
	if ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	return deployment.TransientFailure("keyset.kms_unreachable",
		"let this machine reach KMS in the key's region, and the AWS SDK find credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the machine's role)",
		"%s with %s: %w", what, k, err)
}

// kmsFixes says what to do about the answers of KMS.
var kmsFixes = map[string]string{
	"AccessDeniedException":        "allow kms:Encrypt and kms:Decrypt on the key to the credentials that slipway runs with",
	"DisabledException":            "enable the key in KMS",
	"ExpiredTokenException":        "renew the credentials that slipway runs with",
	"IncorrectKeyException":        otherKeyFix,
	"InvalidCiphertextException":   otherKeyFix,
	"KMSInvalidStateException":     "cancel the key's deletion in KMS, or finish what changes it",
	"NotFoundException":            "name a key that KMS has in SLIPWAY_KEYSET_KMS",
	"UnrecognizedClientException":  "give slipway credentials that AWS knows",
	"InvalidSignatureException":    "give slipway the secret that belongs to its AWS access key",
	"IncompleteSignatureException": "give slipway the secret that belongs to its AWS access key",
}

const otherKeyFix = "name the key that the file was wrapped with in SLIPWAY_KEYSET_KMS, or take the file from a backup"
