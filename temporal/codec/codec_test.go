package codec_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	sdkclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/slipway-dev/slipway/internal/secrets"
	"github.com/slipway-dev/slipway/temporal/codec"
)

func keys(t *testing.T) *secrets.Keyset {
	t.Helper()
	k, err := secrets.OpenKeyset(t.Context(), secrets.Place{File: filepath.Join(t.TempDir(), "keyset.json")})
	require.NoError(t, err)
	return k
}

func using(c codec.Codec, encrypt bool) converter.DataConverter {
	var o sdkclient.Options
	c.Use(&o, encrypt)
	return o.DataConverter
}

func requireReads(t *testing.T, c converter.DataConverter, p *commonpb.Payload, want string) {
	t.Helper()
	var got string
	require.NoError(t, c.FromPayload(p, &got))
	require.Equal(t, want, got)
}

func TestCodec_ReadsWhatWasSentBeforeAChange(t *testing.T) {
	t.Parallel()
	k := keys(t)
	c := codec.Codec{Cipher: k}
	on, off := using(c, true), using(c, false)
	sealed, err := on.ToPayload("hello")
	require.NoError(t, err)
	plain, err := off.ToPayload("hello")
	require.NoError(t, err)
	require.NotContains(t, sealed.String(), "hello")
	require.Contains(t, string(plain.GetData()), "hello")
	_, err = k.Rotate(t.Context())
	require.NoError(t, err)
	for _, reader := range []converter.DataConverter{on, off} {
		requireReads(t, reader, sealed, "hello")
		requireReads(t, reader, plain, "hello")
	}
}

func TestCodec_OpensPayloadsOnly(t *testing.T) {
	t.Parallel()
	k := keys(t)
	c := codec.Codec{Cipher: k}
	sealed, err := using(c, true).ToPayload("hello")
	require.NoError(t, err)

	_, err = codec.Codec{Cipher: keys(t)}.Decode([]*commonpb.Payload{sealed})
	require.ErrorContains(t, err, "SLIPWAY_KEYSET_FILE", "other keys")
	spoilt, ok := proto.Clone(sealed).(*commonpb.Payload)
	require.True(t, ok)
	spoilt.Data[len(spoilt.Data)-1] ^= 1
	_, err = c.Decode([]*commonpb.Payload{spoilt})
	require.Error(t, err, "changed on its way")
	variable, err := k.Encrypt([]byte("s3cret"), []byte("an env var"))
	require.NoError(t, err)
	_, err = c.Decode([]*commonpb.Payload{{Metadata: sealed.GetMetadata(), Data: variable}})
	require.Error(t, err, "what the same keys encrypt elsewhere")
}

func TestEndpoint_IsGuarded(t *testing.T) {
	t.Parallel()
	c := codec.Codec{Cipher: keys(t)}
	server := httptest.NewServer(codec.Endpoint{
		Codec: c, Origins: []string{"http://ui.example.com"},
		Known: func(_ context.Context, token string) (bool, error) {
			if token == "away" {
				return false, errors.New("connection refused")
			}
			return token == "t0ken", nil
		},
	})
	t.Cleanup(server.Close)
	for name, tt := range map[string]struct {
		method, origin, auth string
		status               int
		allows               string
	}{
		"nobody":           {http.MethodPost, "", "", http.StatusUnauthorized, ""},
		"wrong token":      {http.MethodPost, "", "Bearer wrong", http.StatusUnauthorized, ""},
		"other page":       {http.MethodPost, "http://evil.example.com", "", http.StatusUnauthorized, ""},
		"store away":       {http.MethodPost, "", "Bearer away", http.StatusServiceUnavailable, ""},
		"token":            {http.MethodPost, "", "Bearer t0ken", http.StatusOK, ""},
		"Web UI":           {http.MethodPost, "http://ui.example.com", "", http.StatusOK, "http://ui.example.com"},
		"Web UI asks":      {http.MethodOptions, "http://ui.example.com", "", http.StatusNoContent, "http://ui.example.com"},
		"other page asks":  {http.MethodOptions, "http://evil.example.com", "", http.StatusNoContent, ""},
		"token, no POST":   {http.MethodGet, "", "Bearer t0ken", http.StatusNotFound, ""},
		"scheme is no key": {http.MethodPost, "", "Basic t0ken", http.StatusUnauthorized, ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), tt.method, server.URL+codec.Path+"/decode", strings.NewReader(`{"payloads":[]}`))
		require.NoError(t, err)
		request.Header.Set("Origin", tt.origin)
		request.Header.Set("Authorization", tt.auth)
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, tt.status, answer.StatusCode, name)
		require.Equal(t, tt.allows, answer.Header.Get("Access-Control-Allow-Origin"), name)
	}
}

func TestEndpoint_EncodesAndDecodes(t *testing.T) {
	t.Parallel()
	c := codec.Codec{Cipher: keys(t)}
	server := httptest.NewServer(codec.Endpoint{Codec: c, Known: func(context.Context, string) (bool, error) { return true, nil }})
	t.Cleanup(server.Close)
	remote := converter.NewRemoteDataConverter(converter.GetDefaultDataConverter(), converter.RemoteDataConverterOptions{
		Endpoint: server.URL + codec.Path, ModifyRequest: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer any")
			return nil
		},
	})
	sealed, err := remote.ToPayload("hello")
	require.NoError(t, err)
	require.NotContains(t, sealed.String(), "hello")
	requireReads(t, using(c, true), sealed, "hello")
	requireReads(t, remote, sealed, "hello")
}
