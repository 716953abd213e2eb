package codec

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
)

// Path is where the API serves the endpoint; Temporal's clients append /encode or /decode.
const Path = "/codec"

// maxBody bounds a request: a page of a history may hold many payloads.
const maxBody = 16 << 20

// Endpoint is a codec server by Temporal's remote codec protocol, for the Web UI and the `temporal` command. It serves a
// request that carries a token, and one from a page of a trusted origin.
type Endpoint struct {
	Codec   Codec
	Origins []string // trusted: their pages need no token
	Known   func(ctx context.Context, token string) (bool, error)
}

// ServeHTTP encrypts or decrypts the payloads of a request.
func (e Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	origin := r.Header.Get("Origin")
	trusted := slices.Contains(e.Origins, origin)
	w.Header().Set("Vary", "Origin")
	w.Header().Set("Cache-Control", "no-store")
	if trusted {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Methods", http.MethodPost)
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type, X-Namespace, Authorization, Authorization-Extras, Caller-Type")
	}
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if !trusted && !e.admits(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	converter.NewPayloadCodecHTTPHandler(e.Codec).ServeHTTP(w, r)
}

// admits reports whether the request carries a known token, and answers it when it does not.
func (e Endpoint) admits(w http.ResponseWriter, r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	known := false
	if strings.EqualFold(scheme, "Bearer") && token != "" {
		var err error
		if known, err = e.Known(r.Context(), strings.TrimSpace(token)); err != nil {
			http.Error(w, "the token cannot be looked up now: try again", http.StatusServiceUnavailable)
			return false
		}
	}
	if !known {
		w.Header().Set("WWW-Authenticate", `Bearer realm="slipway"`)
		http.Error(w, "send the header Authorization: Bearer <token>, or name the page's origin in SLIPWAY_CODEC_ORIGINS", http.StatusUnauthorized)
	}
	return known
}
