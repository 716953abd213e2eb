// Package config reads slipway's configuration: defaults, under an optional YAML file, under SLIPWAY_* variables. Every
// setting is declared once, beside the struct that holds it, with its variable, its place in the file, its default, its
// checks and its documentation; docs/configuration.md is made from these declarations. A configuration is checked whole:
// all of its faults are reported at once, each with what to do about it.
//
// slipway-dev loads Dev; each role of the slipway program loads the struct of its own name, made of the same parts.
package config
