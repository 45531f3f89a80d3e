package token

import "github.com/prometheus/client_golang/prometheus"

// metrics are the collectors of revocations.
type metrics struct {
	unchecked prometheus.Counter
}

// newMetrics registers them; one Revocations for each registry.
func newMetrics(registry prometheus.Registerer, r *Revocations) *metrics {
	m := &metrics{unchecked: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "mindspace_token_unchecked_total",
		Help: "Checks of access tokens that could not find out whether the token was revoked: neither messages nor Redis were to be had.",
	})}
	if registry == nil {
		return m
	}
	registry.MustRegister(m.unchecked,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mindspace_token_revocations_subscribed",
			Help: "1 while revocations of other processes are heard, 0 while each check asks Redis.",
		}, func() float64 {
			if r.hears() {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mindspace_token_revocations",
			Help: "Sessions and people whose tokens this process refuses.",
		}, func() float64 { return float64(r.ledger.len()) }))
	return m
}
