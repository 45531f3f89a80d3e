package sound

import "math/rand/v2"

// This file holds the beds: tones, chords and weather that lie under a whole practice. All of them loop.

// tonesSoft is a low chord whose left and right pitches are four Hz apart, so that it pulses gently between the ears.
func tonesSoft(t *take) {
	n := t.samples()
	left, right := make(layer, n), make(layer, n)
	for i, p := range []partial{{ratio: 136, gain: 1}, {ratio: 204, gain: 0.5}, {ratio: 272, gain: 0.4}, {ratio: 408, gain: 0.15}} {
		level := sway(n, i+1, 0.25*float64(i), 0.55, 1)
		left.tone(looped(p.ratio-2, n), 0, p.gain, level)
		right.tone(looped(p.ratio+2, n), 0.5, p.gain, level)
	}
	t.put(left, 0, 1, -0.9)
	t.put(right, 0, 1, 0.9)
}

// padWarm is two wide chords that melt into each other.
func padWarm(t *take) {
	n := t.samples()
	first := curve(n, point{0, 0.5}, point{5, 1}, point{11, 1}, point{19, 0}, point{25, 0}, point{30, 0.5})
	second := curve(n, point{0, 0.5}, point{5, 0}, point{11, 0}, point{19, 1}, point{25, 1}, point{30, 0.5})
	for ear, pan := range []float64{-1, 1} {
		side := make(layer, n)
		for _, chord := range []struct {
			level   layer
			pitches []float64
		}{
			{first, []float64{73.4, 146.8, 220, 277.2, 329.6, 370}}, // D major, with its seventh and ninth
			{second, []float64{98, 146.8, 196, 246.9, 293.7, 440}},  // G major, with its ninth
		} {
			for i, pitch := range chord.pitches {
				level := sway(n, 1+(i+ear)%3, float64(i)/6, 0.4, 1).times(chord.level)
				for h, gain := range []float64{1, 0.32, 0.12} {
					detuned := (pitch + float64(0.15*pan)) * float64(h+1)
					side.tone(looped(detuned, n), float64(i)/6, gain/float64(i+2), level)
				}
			}
		}
		t.put(side, 0, 1, pan)
	}
}

// rain is steady soft rain, with single drops in front.
func rain(t *take) {
	n := t.samples()
	bed := noise(21, n+join*rate).highPass(500).lowPass(5200).lowPass(7000).seamless(n).times(sway(n, 2, 0, 0.8, 1))
	low := noise(22, n+join*rate).highPass(40).lowPass(180).lowPass(300).seamless(n)
	t.put(bed.plus(low, 1.2), 0, 1, 0)
	drop := body{attack: 0.002, partials: []partial{{ratio: 1, gain: 1, decay: 0.012}, {ratio: 1.7, gain: 0.4, decay: 0.006}}}
	source := rand.NewPCG(23, 0)
	for range 420 {
		at, pitch, gain := between(source, 0, 30), between(source, 800, 3000), between(source, 0.04, 0.28)
		t.put(strike(drop, pitch, 0.12), at, gain, 0)
	}
}

// waves is three waves that come up a beach and run back, each a little different.
func waves(t *take) {
	n := t.samples()
	var swell, foam []point
	for _, w := range []struct{ at, height float64 }{{0.5, 0.85}, {10, 1}, {20.8, 0.75}} {
		swell = append(swell, point{w.at, 0.16}, point{w.at + 3.8, w.height}, point{w.at + 9, 0.16})
		foam = append(foam, point{w.at + 1.5, 0.02}, point{w.at + 4.4, w.height}, point{w.at + 8.6, 0.02})
	}
	body := noise(31, n+join*rate).highPass(40).lowPass(420).lowPass(700).seamless(n).times(curve(n, swell...))
	hiss := noise(32, n+join*rate).highPass(700).lowPass(3800).seamless(n).times(curve(n, foam...))
	t.put(body.plus(hiss, 0.32), 0, 1, 0)
}

// wind is air that wanders between lower and higher, never far.
func wind(t *take) {
	n := t.samples()
	centre := sway(n, 2, 0, 240, 420).plus(sway(n, 5, 0.3, -60, 110), 1)
	gust := sway(n, 3, 0.6, 0.45, 1).times(sway(n, 2, 0.1, 0.6, 1))
	air := noise(41, n+join*rate).bandPass(centre, 0.5).seamless(n).times(gust)
	leaves := noise(42, n+join*rate).highPass(1500).lowPass(4000).seamless(n).times(gust).times(gust).times(sway(n, 7, 0, 0.3, 1))
	t.put(air.plus(leaves, 0.10), 0, 1, 0)
}

// night is two crickets near and far, over a field that hardly moves.
func night(t *take) {
	n := t.samples()
	field := noise(51, n+join*rate).bandPass(layer{320}, 0.9).seamless(n).times(sway(n, 2, 0, 0.7, 1))
	t.put(field, 0, 0.8, 0)
	chirp := curve(rate*45/1000, point{0, 0}, point{0.012, 1}, point{0.044, 0})
	for _, c := range []struct{ pitch, every, begin, gain float64 }{{4150, 0.75, 0.2, 0.05}, {4630, 1.2, 0.5, 0.022}} {
		syllable := make(layer, len(chirp)).tone(c.pitch, 0, 1, chirp)
		for at := c.begin; at < 30; at += c.every {
			for i := range 3 {
				t.put(syllable, at+float64(0.055*float64(i)), c.gain, 0)
			}
		}
	}
}

// brownNoise is an even, deep rushing.
func brownNoise(t *take) {
	n := t.samples()
	t.put(noise(61, n+join*rate).lowPass(90).highPass(20).lowPass(1200).seamless(n), 0, 1, 0)
}
