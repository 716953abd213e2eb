package postgres

import (
	"context"
	"errors"

	"github.com/slipway-dev/slipway/internal/deployment"
	"github.com/slipway-dev/slipway/internal/postgres/db"
)

// SetGitCredential makes c the project's only credential.
func (s *Store) SetGitCredential(ctx context.Context, projectID string, c deployment.GitCredential) error {
	if !isID(projectID) {
		return at(deployment.ErrNotFound, "set git credential of project %q", projectID)
	}
	if s.options.Cipher == nil {
		return at(errNoCipher, "set git credential of project %s", projectID)
	}
	secret, err := s.options.Cipher.Encrypt([]byte(c.Secret), credentialPlace(projectID, c.CredentialSummary))
	if err != nil {
		return at(err, "set git credential of project %s", projectID)
	}
	return at(s.inTx(ctx, func(q *db.Queries) error {
		if _, err := q.LockProject(ctx, projectID); err != nil {
			return err
		}
		return q.SetGitCredential(ctx, db.SetGitCredentialParams{
			ProjectID: projectID, Kind: string(c.Kind), Origin: c.Origin, Username: c.Username, Fingerprint: c.Fingerprint,
			KnownHosts: c.KnownHosts, Secret: secret,
		})
	}), "set git credential of project %s", projectID)
}

// GitCredential returns a project's credential with its secret, nil for none.
func (s *Store) GitCredential(ctx context.Context, projectID string) (*deployment.GitCredential, error) {
	row, err := s.q.GitCredential(ctx, projectID)
	if err = at(err, "git credential of project %s", projectID); errors.Is(err, deployment.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if s.options.Cipher == nil {
		return nil, at(errNoCipher, "git credential of project %s", projectID)
	}
	c := &deployment.GitCredential{KnownHosts: row.KnownHosts, CredentialSummary: deployment.CredentialSummary{
		Kind: deployment.CredentialKind(row.Kind), Origin: row.Origin, Username: row.Username, Fingerprint: row.Fingerprint,
		UpdatedAt: row.UpdatedAt.UTC(),
	}}
	secret, err := s.options.Cipher.Decrypt(row.Secret, credentialPlace(projectID, c.CredentialSummary))
	if err != nil {
		return nil, at(err, "git credential of project %s: decrypt", projectID)
	}
	c.Secret = string(secret)
	return c, nil
}

// DeleteGitCredential removes a project's credential; deployment.ErrNotFound when it has none.
func (s *Store) DeleteGitCredential(ctx context.Context, projectID string) error {
	if !isID(projectID) {
		return at(deployment.ErrNotFound, "delete git credential of project %q", projectID)
	}
	n, err := s.q.DeleteGitCredential(ctx, projectID)
	if err == nil && n == 0 {
		err = deployment.ErrNotFound
	}
	return at(err, "delete git credential of project %s", projectID)
}

// summarizeCredentials fills in which projects have a credential.
func (s *Store) summarizeCredentials(ctx context.Context, projects ...*deployment.Project) error {
	ids := make([]string, len(projects))
	for i, p := range projects {
		ids[i] = p.ID
	}
	rows, err := s.q.GitCredentialSummaries(ctx, ids)
	if err != nil {
		return at(err, "summarize git credentials")
	}
	for _, row := range rows {
		for _, p := range projects {
			if p.ID == row.ProjectID {
				p.GitCredential = &deployment.CredentialSummary{
					Kind: deployment.CredentialKind(row.Kind), Origin: row.Origin, Username: row.Username,
					Fingerprint: row.Fingerprint, UpdatedAt: row.UpdatedAt.UTC(),
				}
			}
		}
	}
	return nil
}

// HostKey returns the known_hosts line of a host that was accepted at first use, empty for none.
func (s *Store) HostKey(ctx context.Context, host string) (string, error) {
	line, err := s.q.HostKey(ctx, host)
	if err = at(err, "host key of %s", host); errors.Is(err, deployment.ErrNotFound) {
		return "", nil
	}
	return line, err
}

// PinHostKey stores a host's known_hosts line unless one is stored, and returns the one that is stored then.
func (s *Store) PinHostKey(ctx context.Context, host, line string) (string, error) {
	if err := s.q.PinHostKey(ctx, db.PinHostKeyParams{Host: host, Line: line}); err != nil {
		return "", at(err, "pin host key of %s", host)
	}
	return s.HostKey(ctx, host)
}

// credentialPlace is the associated data of a secret: moved to another project, or made to be sent elsewhere by a change
// of its row, it does not decrypt.
func credentialPlace(projectID string, c deployment.CredentialSummary) []byte {
	return []byte("git-credential/" + projectID + "/" + string(c.Kind) + "/" + c.Origin)
}
