// Package zone knows time zones by their IANA names.
package zone

import (
	"time"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// Parse reads the name of a time zone in a field of a request, by the field's path in JSON names; an empty one is UTC.
// Fault: Invalid (TIME_ZONE_UNKNOWN), naming the field.
func Parse(field, name string) (string, error) {
	if name == "" {
		return "UTC", nil
	}
	// "Local" is whatever the machine is set to.
	if _, err := time.LoadLocation(name); err != nil || name == "Local" {
		return "", fault.Invalid("%s: there is no time zone of this name", field).
			WithField(field, "must be the name of an IANA time zone, for example Europe/Belgrade").WithReason("TIME_ZONE_UNKNOWN")
	}
	return name, nil
}
