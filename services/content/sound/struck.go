package sound

// This file holds the struck sounds: bowls, chimes and bells. In the loops no stroke falls on the seam.

// bowlDeep is one stroke on a large bowl.
func bowlDeep(t *take) {
	t.put(strike(bowl(), 108, 30), 0.05, 1, 0)
}

// bowlBright is one stroke on a small bowl.
func bowlBright(t *take) {
	t.put(strike(bowl(), 261.6, 20), 0.05, 1, 0)
}

// chimes is five bars, touched one after another as by a breath of wind.
func chimes(t *take) {
	for _, s := range []struct{ at, pitch, gain float64 }{
		{0.05, 523.3, 0.7}, {0.62, 659.3, 0.6}, {1.05, 784.0, 0.8}, {1.9, 587.3, 0.5}, {3.1, 880.0, 0.6}, {4.6, 523.3, 0.5},
	} {
		t.put(strike(bar(), s.pitch, 10), s.at, s.gain, 0)
	}
}

// bellsSlow is a bowl every twenty seconds, three bowls in turn.
func bellsSlow(t *take) {
	for i, pitch := range []float64{196, 220, 174.6} {
		t.put(strike(bowl(), pitch, 30), 1+20*float64(i), 1, 0)
	}
}

// bellsMinute is one bowl a minute.
func bellsMinute(t *take) {
	t.put(strike(bowl(), 146.8, 40), 1, 1, 0)
}
