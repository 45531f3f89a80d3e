// Package zone knows time zones by their IANA names.
package zone

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/mindspace-app/mindspace/platform/fault"
)

// maxLoaded is how many zones are remembered: more than there are names.
const maxLoaded = 1000

// loaded has the zones that were asked for: reading one from the disk takes as long as a query.
var (
	loaded sync.Map // of *time.Location, by name
	count  atomic.Int64
)

// Load gives the time zone that a field of a request names, by the field's path in JSON names; an empty name is UTC.
// Fault: Invalid (TIME_ZONE_UNKNOWN), naming the field.
func Load(field, name string) (*time.Location, error) {
	if known, ok := loaded.Load(name); ok {
		return known.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	// "Local" is whatever the machine is set to.
	if err != nil || name == "Local" {
		return nil, fault.Invalid("%s: there is no time zone of this name", field).
			WithField(field, "must be the name of an IANA time zone, for example Europe/Belgrade").WithReason("TIME_ZONE_UNKNOWN")
	}
	if count.Add(1) <= maxLoaded {
		loaded.Store(name, z)
	}
	return z, nil
}

// Parse reads the name of a time zone in a field of a request, as [Load] does, and gives the name that is kept.
func Parse(field, name string) (string, error) {
	z, err := Load(field, name)
	if err != nil {
		return "", err
	}
	return z.String(), nil
}
