package jobs

import (
	"time"

	"github.com/riverqueue/river"

	"github.com/mindspace-app/mindspace/platform/queue"
)

// Periodic is the table of everything that happens by the clock. Whatever stands here must bear to run late, or twice.
func Periodic() []*river.PeriodicJob {
	return []*river.PeriodicJob{
		queue.Periodic("audit_seal", time.Minute, 0, SealAuditArgs{}),
		queue.Periodic("erasures", time.Minute, 0, ErasuresArgs{}),
		queue.Periodic("content_publish_overdue", 10*time.Minute, 4*time.Minute, PublishOverdueArgs{}),
		queue.Periodic("retention", time.Hour, 7*time.Minute, RetainArgs{}),
		queue.Periodic("auth_upkeep", time.Hour, 23*time.Minute, AuthUpkeepArgs{}),
	}
}
