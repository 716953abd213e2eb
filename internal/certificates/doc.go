// Package certificates gives the gateway its certificates: those of an operator's own files, and those that certmagic orders by
// ACME, or has made by a CA of the installation's own, for names that are asked for and allowed. What is ordered lies encrypted in
// Postgres, where all gateways find it and take turns, so that a certificate is ordered once.
package certificates
