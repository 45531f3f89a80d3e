// Package telemetrytest helps tests to look at what the program tells of itself. It is for tests only.
package telemetrytest

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Samples gives the values of a metric, each under its label values, in the order of the label names and joined by spaces:
// the value of a counter or gauge, and the number of observations of a histogram.
func Samples(tb testing.TB, gatherer prometheus.Gatherer, name string) map[string]float64 {
	tb.Helper()
	samples := map[string]float64{}
	for _, family := range gather(tb, gatherer) {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			values := make([]string, 0, len(m.GetLabel()))
			for _, l := range m.GetLabel() { // sorted by name
				values = append(values, l.GetValue())
			}
			samples[strings.Join(values, " ")] = valueOf(m)
		}
	}
	return samples
}

func valueOf(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.GetCounter().GetValue()
	case m.Gauge != nil:
		return m.GetGauge().GetValue()
	case m.Histogram != nil:
		return float64(m.GetHistogram().GetSampleCount())
	default:
		return 0
	}
}

func gather(tb testing.TB, gatherer prometheus.Gatherer) []*dto.MetricFamily {
	tb.Helper()
	families, err := gatherer.Gather()
	if err != nil {
		tb.Fatalf("gather metrics: %v", err)
	}
	return families
}

// Documented fails the test for every metric of ours (mindspace_*) that has no row in the table at path, or one with another type or other labels.
// Only metrics with at least one sample can be seen, so use all of them first.
func Documented(tb testing.TB, gatherer prometheus.Gatherer, path string) {
	tb.Helper()
	rows := documentation(tb, path)
	seen := 0
	for _, family := range gather(tb, gatherer) {
		name := family.GetName()
		if !strings.HasPrefix(name, "mindspace_") {
			continue
		}
		seen++
		documented, ok := rows[name]
		if !ok {
			tb.Errorf("%s is not documented in %s", name, path)
			continue
		}
		if actual := describe(family); documented != actual {
			tb.Errorf("%s: documented as %+v, is %+v", name, documented, actual)
		}
	}
	if seen == 0 {
		tb.Error("there is no metric of ours to look up")
	}
}

// row is what a line of the table says of a metric.
type row struct{ kind, labels string }

var tableRow = regexp.MustCompile("(?m)^\\| `(mindspace_[a-z0-9_]+)` \\| ([a-z]+) \\| ([^|]*) \\|")

// documentation reads the rows "| `name` | type | `label`, `label` | meaning |".
func documentation(tb testing.TB, path string) map[string]row {
	tb.Helper()
	text, err := os.ReadFile(path) //nolint:gosec // the path is the test's own
	if err != nil {
		tb.Fatalf("read the documentation of metrics: %v", err)
	}
	rows := map[string]row{}
	for _, match := range tableRow.FindAllStringSubmatch(string(text), -1) {
		labels := strings.FieldsFunc(match[3], func(r rune) bool { return strings.ContainsRune("`, –-", r) })
		slices.Sort(labels)
		rows[match[1]] = row{kind: match[2], labels: strings.Join(labels, " ")}
	}
	return rows
}

func describe(family *dto.MetricFamily) row {
	labels := map[string]struct{}{}
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = struct{}{}
		}
	}
	return row{
		kind:   strings.ToLower(family.GetType().String()),
		labels: strings.Join(slices.Sorted(maps.Keys(labels)), " "),
	}
}
