package config

import "strings"

// Fault is one thing that is wrong with a configuration.
type Fault struct { //nolint:errname // a fault is what it is; it is an error besides
	Key     string // the variable, or the file and the key in it
	Problem string // with the value, unless it is secret
	Fix     string
}

// Error returns the fault in one line.
func (f Fault) Error() string { return f.Key + ": " + f.Problem + ": " + f.Fix }

// Faults is everything that is wrong with a configuration. It is an error when it is not empty.
type Faults []Fault //nolint:errname // likewise

// Error returns one line per fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the faults to errors.As.
func (fs Faults) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

// orNil returns fs as an error, nil without faults.
func (fs Faults) orNil() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}
