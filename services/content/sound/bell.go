package sound

import "math"

// partial is one of the tones that a struck body rings with.
type partial struct {
	// ratio of its pitch to that of the body.
	ratio float64
	// gain at the strike.
	gain float64
	// decay is how many seconds it takes to fall to 1/e.
	decay float64
	// beat is how many Hz the two halves of the partial are apart: no bowl is perfectly round, and this is what makes it sing.
	beat float64
}

// release is how many seconds before its end a strike begins to fade to nothing, a quarter of a short one.
const release = 1.5

// body is what is struck.
type body struct {
	// attack is how many seconds the strike takes to be heard in full: long for felt, short for wood.
	attack   float64
	partials []partial
}

// The ratios are those of the bending modes of a bowl, about 1 : 2.7 : 5 : 7.8, of a free bar, 1 : 2.76 : 5.40, and of a wooden block.
func bowl() body {
	return body{attack: 0.012, partials: []partial{
		{ratio: 1, gain: 1, decay: 7.5, beat: 0.43},
		{ratio: 2.71, gain: 0.62, decay: 5.2, beat: 0.71},
		{ratio: 5.03, gain: 0.30, decay: 2.6, beat: 1.10},
		{ratio: 7.87, gain: 0.13, decay: 1.3, beat: 1.70},
		{ratio: 11.2, gain: 0.05, decay: 0.6, beat: 2.30},
	}}
}

func bar() body {
	return body{attack: 0.003, partials: []partial{
		{ratio: 1, gain: 1, decay: 2.8, beat: 0.3},
		{ratio: 2.756, gain: 0.35, decay: 1.1, beat: 0.5},
		{ratio: 5.404, gain: 0.12, decay: 0.4, beat: 0.9},
	}}
}

func wood() body {
	return body{attack: 0.004, partials: []partial{
		{ratio: 1, gain: 1, decay: 0.085},
		{ratio: 2.42, gain: 0.30, decay: 0.035},
		{ratio: 4.10, gain: 0.10, decay: 0.015},
	}}
}

// strike is one stroke on a body of the given pitch, in Hz, left to ring for so many seconds.
func strike(b body, pitch, seconds float64) layer {
	l := make(layer, int(seconds*rate))
	for _, p := range b.partials {
		centre := float64(p.ratio * pitch)
		if centre > rate*0.45 {
			continue // too high for this sample rate
		}
		a, z := newOscillator(centre-p.beat/2, 0), newOscillator(centre+p.beat/2, 0)
		fall := exact(math.Exp(-1 / (p.decay * rate)))
		gain := p.gain / 2
		for i := range l {
			l[i] += float64(gain * (a.next() + z.next()))
			gain *= fall
		}
	}
	for i := range min(int(b.attack*rate), len(l)) {
		l[i] *= ease(float64(i) / (b.attack * rate))
	}
	l.fadeOut(min(release, seconds/4))
	return l
}
