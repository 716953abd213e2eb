package postgres_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres"
)

func TestGitCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, other := b.project("app"), b.project("other")
	none, err := b.GitCredential(t.Context(), p.ID)
	require.NoError(t, err)
	require.Nil(t, none)

	key := deployment.GitCredential{Secret: "hunter2", KnownHosts: "h ssh-ed25519 AAAA", CredentialSummary: deployment.CredentialSummary{
		Kind: deployment.CredentialSSHKey, Origin: "ssh://git.example.com", Fingerprint: "SHA256:x",
	}}
	require.NoError(t, b.SetGitCredential(t.Context(), p.ID, key))
	token := deployment.GitCredential{Secret: "hunter3", CredentialSummary: deployment.CredentialSummary{
		Kind: deployment.CredentialToken, Origin: "https://git.example.com", Username: "me",
	}}
	require.NoError(t, b.SetGitCredential(t.Context(), p.ID, token))
	require.NoError(t, b.SetGitCredential(t.Context(), other.ID, key))
	got, err := b.GitCredential(t.Context(), p.ID)
	require.NoError(t, err)
	require.NotZero(t, got.UpdatedAt)
	token.UpdatedAt = got.UpdatedAt
	require.Equal(t, &token, got, "nothing of the one before is left")

	list, _, err := b.Projects(t.Context(), deployment.Page{})
	require.NoError(t, err)
	require.Equal(t, &token.CredentialSummary, list[0].GitCredential)
	require.Equal(t, "SHA256:x", list[1].GitCredential.Fingerprint)
	p, err = b.Project(t.Context(), "app")
	require.NoError(t, err)
	require.Equal(t, &token.CredentialSummary, p.GitCredential)
	p, err = b.UpdateProject(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, &token.CredentialSummary, p.GitCredential)

	var stored []byte
	require.NoError(t, b.Pool().QueryRow(t.Context(), "SELECT secret FROM git_credentials WHERE kind = 'token'").Scan(&stored))
	require.False(t, bytes.Contains(stored, []byte("hunter3")), "secrets are encrypted")

	require.NoError(t, b.DeleteGitCredential(t.Context(), p.ID))
	require.ErrorIs(t, b.DeleteGitCredential(t.Context(), p.ID), deployment.ErrNotFound)
	b.remove(of(other))
	require.ErrorIs(t, b.SetGitCredential(t.Context(), other.ID, key), deployment.ErrNotFound)
	require.NoError(t, b.Purge(t.Context(), of(other)))
}

func TestAGitCredentialIsBoundToItsOrigin(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.project("app")
	token := deployment.GitCredential{Secret: "hunter2", CredentialSummary: deployment.CredentialSummary{
		Kind: deployment.CredentialToken, Origin: "https://git.example.com",
	}}
	require.NoError(t, b.SetGitCredential(t.Context(), p.ID, token))
	b.exec("UPDATE git_credentials SET origin = 'https://evil.example.com'")
	_, err := b.GitCredential(t.Context(), p.ID)
	require.ErrorContains(t, err, "decrypt")

	blind := postgres.New(b.Pool(), postgres.Options{})
	_, err = blind.GitCredential(t.Context(), p.ID)
	require.ErrorContains(t, err, "keyset")
	require.ErrorContains(t, blind.SetGitCredential(t.Context(), p.ID, token), "keyset")
}

func TestPinHostKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	line, err := b.HostKey(t.Context(), "h:22")
	require.NoError(t, err)
	require.Empty(t, line)
	for _, offered := range []string{"first", "second"} {
		line, err = b.PinHostKey(t.Context(), "h:22", offered)
		require.NoError(t, err)
		require.Equal(t, "first", line, "the first key stands")
	}
	line, err = b.HostKey(t.Context(), "h:22")
	require.NoError(t, err)
	require.Equal(t, "first", line)
}
