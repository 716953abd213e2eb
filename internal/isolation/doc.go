// Package isolation keeps previews away from what is near them: it sets rules in the kernel's packet filter of the machine whose Docker
// engine runs them.
package isolation
