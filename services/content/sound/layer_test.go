package sound

import (
	"math"
	"testing"
)

func TestOscillatorIsASine(t *testing.T) {
	t.Parallel()
	const pitch, phase = 440.0, 0.3
	o := newOscillator(pitch, phase)
	for i := range 5 * rate {
		want := math.Sin(2 * math.Pi * math.Mod(pitch*float64(i)/rate+phase, 1))
		if got := o.next(); math.Abs(got-want) > 1e-7 {
			t.Fatalf("sample %d is %g, want %g", i, got, want)
		}
	}
}

func TestLoopedMakesWholeTurns(t *testing.T) {
	t.Parallel()
	const n = 7 * rate
	pitch := looped(123.456, n)
	if math.Abs(pitch-123.456) > 1.0/14 {
		t.Errorf("looped moved the pitch to %g", pitch)
	}
	o := newOscillator(pitch, 0.2)
	first := o.next()
	for range n - 1 {
		o.next()
	}
	if again := o.next(); math.Abs(again-first) > 1e-9 {
		t.Errorf("after the loop the sine is %g, at first it was %g", again, first)
	}
}

func TestPut(t *testing.T) {
	t.Parallel()
	// Three quarters of a second of ones, from the middle of one second.
	ones := make(layer, rate*3/4)
	for i := range ones {
		ones[i] = 1
	}
	const last = rate - 1
	for _, tt := range []struct {
		name               string
		channels           int
		loop               bool
		pan                float64
		left, right, round float64
	}{
		{"cut off", 1, false, 0.5, 2, 2, 0},
		{"round a loop", 1, true, 0.5, 2, 2, 2},
		{"centre", 2, true, 0, math.Sqrt2, math.Sqrt2, math.Sqrt2},
		{"left", 2, true, -1, 2, 0, 2},
		{"right", 2, true, 1, 0, 2, 0},
	} {
		take := newTake(1, tt.channels, tt.loop)
		take.put(ones, 0.5, 2, tt.pan)
		left, right := take.channels[0], take.channels[tt.channels-1]
		if math.Abs(left[last]-tt.left) > 1e-12 || math.Abs(right[last]-tt.right) > 1e-12 {
			t.Errorf("%s: ends with %g and %g, want %g and %g", tt.name, left[last], right[last], tt.left, tt.right)
		}
		if math.Abs(left[0]-tt.round) > 1e-12 || left[rate/4+1] != 0 {
			t.Errorf("%s: begins with %g and has %g after what came round, want %g and 0", tt.name, left[0], left[rate/4+1], tt.round)
		}
	}
}

func TestPCMRefusesWhatHasNoPeak(t *testing.T) {
	t.Parallel()
	for _, x := range []float64{0, math.NaN(), math.Inf(-1)} {
		take := newTake(1, 2, true)
		take.channels[1][7] = x
		if _, err := take.pcm(); err == nil {
			t.Errorf("a take with a single sample of %g gave no error", x)
		}
	}
}

func TestCurveGoesThroughItsPoints(t *testing.T) {
	t.Parallel()
	line := curve(4*rate, point{1, 10}, point{2, 20}, point{3, 0})
	for at, want := range map[float64]float64{0: 10, 1: 10, 1.5: 15, 2: 20, 2.5: 10, 3: 0, 3.9: 0} {
		if got := line[int(at*rate)]; math.Abs(got-want) > 1e-3 {
			t.Errorf("at %g s the curve is %g, want %g", at, got, want)
		}
	}
}

func TestSwayLoops(t *testing.T) {
	t.Parallel()
	wave := sway(rate, 3, 0.1, 2, 5)
	low, high := math.Inf(1), math.Inf(-1)
	for _, x := range wave {
		low, high = min(low, x), max(high, x)
	}
	if math.Abs(low-2) > 1e-4 || math.Abs(high-5) > 1e-4 {
		t.Errorf("the wave goes from %g to %g, want 2 to 5", low, high)
	}
	if step := wave[0] - wave[rate-1]; math.Abs(step-(wave[1]-wave[0])) > 1e-5 {
		t.Errorf("the seam steps by %g, the next sample by %g", step, wave[1]-wave[0])
	}
}

func TestStrikeRingsAndFalls(t *testing.T) {
	t.Parallel()
	b := body{attack: 0.01, partials: []partial{{ratio: 1, gain: 1, decay: 1}, {ratio: 1000, gain: 50, decay: 9}}}
	l := strike(b, 200, 4)
	loud := func(from float64) (top float64) {
		for _, x := range l[int(from*rate):int((from+0.1)*rate)] {
			top = max(top, math.Abs(x))
		}
		return top
	}
	if l[0] != 0 || l[len(l)-1] != 0 {
		t.Errorf("the strike begins with %g and ends with %g", l[0], l[len(l)-1])
	}
	if ratio := loud(1.5) / loud(0.5); math.Abs(ratio-1/math.E) > 0.01 {
		t.Errorf("in one second it falls to %g, want 1/e", ratio)
	}
	if x := l[rate/2000]; x > 0.02 {
		t.Errorf("half a millisecond into an attack of ten it is already %g", x)
	}
	if top := loud(0); top > 1 {
		t.Errorf("a partial above what the rate can hold is heard: %g", top)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	// gain is the level of a sine after a filter, once it has settled.
	gain := func(pitch float64, filter func(layer) layer) (top float64) {
		ones := make([]float64, rate)
		for i := range ones {
			ones[i] = 1
		}
		for _, x := range filter(make(layer, rate).tone(pitch, 0, 1, ones))[rate/2:] {
			top = max(top, math.Abs(x))
		}
		return top
	}
	low := func(l layer) layer { return l.lowPass(500) }
	high := func(l layer) layer { return l.highPass(500) }
	band := func(l layer) layer { return l.bandPass(layer{500}, 0.5) }
	for _, tt := range []struct {
		name     string
		filter   func(layer) layer
		pitch    float64
		low, top float64
	}{
		{"low pass keeps lows", low, 50, 0.98, 1.01},
		{"low pass at its cutoff", low, 500, 0.65, 0.76},
		{"low pass takes highs", low, 5000, 0.05, 0.15},
		{"high pass takes lows", high, 50, 0.05, 0.15},
		{"high pass keeps highs", high, 5000, 0.9, 1.1},
		{"band pass keeps its centre", band, 500, 0.95, 1.05},
		{"band pass takes lows", band, 50, 0, 0.1},
		{"band pass takes highs", band, 5000, 0, 0.1},
	} {
		if got := gain(tt.pitch, tt.filter); got < tt.low || got > tt.top {
			t.Errorf("%s: gain %.3f, want %.2f to %.2f", tt.name, got, tt.low, tt.top)
		}
	}
}

func TestNoise(t *testing.T) {
	t.Parallel()
	a, b := noise(1, rate), noise(2, rate)
	var mean, power, alike float64
	for i := range a {
		mean += a[i] / rate
		power += a[i] * a[i] / rate
		alike += a[i] * b[i] / rate
		if a[i] < -1 || a[i] > 1 {
			t.Fatalf("sample %d is %g", i, a[i])
		}
	}
	if math.Abs(mean) > 0.02 || math.Abs(power-1.0/3) > 0.02 || math.Abs(alike) > 0.02 {
		t.Errorf("mean %g, power %g, likeness of two seeds %g; want 0, 1/3, 0", mean, power, alike)
	}
}

func TestSeamlessRunsOn(t *testing.T) {
	t.Parallel()
	const n, over = 1000, 100
	raw := noise(3, n+over)
	following, last := raw[n], raw[n-1]
	joined := raw.seamless(n)
	if len(joined) != n || joined[0] != following || joined[n-1] != last {
		t.Errorf("%d samples from %g to %g, want %d from %g to %g", len(joined), joined[0], joined[len(joined)-1], n, following, last)
	}
}

func TestPredictPicksTheOrder(t *testing.T) {
	t.Parallel()
	const n = 1000
	flat, line, white := make([]int32, n), make([]int32, n), make([]int32, n)
	for i, x := range noise(4, n) {
		flat[i], line[i], white[i] = 5000, int32(7*i), int32(20000*x)
	}
	for _, tt := range []struct {
		name  string
		block []int32
		order int
	}{{"white", white, 0}, {"flat", flat, 1}, {"line", line, 2}, {"alone", white[:1], 0}} {
		if got := predict(tt.block); got.Order != tt.order {
			t.Errorf("%s: order %d, want %d", tt.name, got.Order, tt.order)
		}
	}
	if k := predict(white).RiceSubframe.Partitions[0].Param; k < 13 || k > 14 {
		t.Errorf("Rice parameter of loud noise is %d", k)
	}
	if k := predict(line).RiceSubframe.Partitions[0].Param; k > 1 {
		t.Errorf("Rice parameter of a line is %d", k)
	}
}
