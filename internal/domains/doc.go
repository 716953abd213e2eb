// Package domains asks DNS what somebody has written there to show that a domain is theirs.
package domains
