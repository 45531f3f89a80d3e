package app

import (
	"time"

	"github.com/mindspace-app/mindspace/services/user"
)

// Privacy are the settings of what happens to what people tell.
type Privacy struct {
	// ErasureCoolingOff is how long a person can think again: an account that is gone cannot be brought back.
	ErasureCoolingOff time.Duration `name:"erasure-cooling-off" env:"ERASURE_COOLING_OFF" default:"168h" help:"How long after DeleteMe signing in still calls the erasure off; 0 for the default."`
	// BackupHorizon is how long backups are kept: until then they may hold what is erased, and receipts say so.
	BackupHorizon time.Duration `name:"backup-horizon" env:"BACKUP_HORIZON" default:"720h" help:"How long backups are kept; receipts of erasures name the day. 0 for the default."`
	// MinimumAge is from which age on health data is taken.
	MinimumAge string `name:"minimum-age" env:"MINIMUM_AGE" help:"Minimum age for health data, and exceptions by country, for example 16,RS=15; empty for the law of each country, 16 where it is not known."`
}

// check names what is wrong.
func (p Privacy) check(problem func(setting, format string, args ...any)) {
	if p.ErasureCoolingOff < 0 {
		problem("ERASURE_COOLING_OFF", "must not be negative")
	}
	if p.BackupHorizon < 0 {
		problem("BACKUP_HORIZON", "must not be negative")
	}
	if _, err := p.ages(); err != nil {
		problem("MINIMUM_AGE", "%v", err)
	}
}

// ages are the minimum ages: those of the law where nothing else is said.
func (p Privacy) ages() (user.Ages, error) {
	if p.MinimumAge == "" {
		return user.DefaultAges(), nil
	}
	return user.ParseAges(p.MinimumAge)
}
