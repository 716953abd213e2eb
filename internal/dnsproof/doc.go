// Package dnsproof shows a CA that a domain is ours, by a TXT record at the provider of its zone (DNS-01). Of the providers, those that
// have an API of their own are lego's.
package dnsproof
