// Package zone knows time zones by their IANA names.
package zone

import (
	"path"
	"strings"
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
	if err != nil || !proper(name) {
		return nil, fault.Invalid("%s: there is no time zone of this name", field).
			WithField(field, "must be the name of an IANA time zone, for example Europe/Belgrade").WithReason("TIME_ZONE_UNKNOWN")
	}
	if count.Add(1) <= maxLoaded {
		loaded.Store(name, z)
	}
	return z, nil
}

// maxName is longer than any name of a zone.
const maxName = 64

// proper tells whether a name that can be loaded is one of a zone: not that of the machine's own, of another way to count seconds, or another spelling of a path.
func proper(name string) bool {
	switch name {
	case "Local", "localtime", "posixrules", "Factory":
		return false
	}
	return len(name) <= maxName && (name == "" || path.Clean(name) == name) && !strings.HasPrefix(name, "right/") && !strings.HasPrefix(name, "posix/")
}

// Parse reads the name of a time zone in a field of a request, as [Load] does, and gives the name that is kept.
func Parse(field, name string) (string, error) {
	z, err := Load(field, name)
	if err != nil {
		return "", err
	}
	return z.String(), nil
}
