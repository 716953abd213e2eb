// Package domains asks DNS: what somebody has written there to show that a domain is theirs, and who has the last word on a name.
package domains
