package sound

import (
	"math"
	"sync"
)

// Two machines may round the last bit of a product and a sum differently, since Go lets a compiler fuse them into one
// instruction; converting the product to float64 forbids that. Library functions such as math.Sin may differ in their last
// bit too; exact cuts that bit off. So every sound has the same bytes everywhere.

// exact rounds a value of the math package to a grid of 2^−40, far coarser than its error and far finer than anyone hears.
func exact(x float64) float64 {
	const grid = 1 << 40
	return math.Round(x*grid) / grid
}

// tableBits is the size of the sine table: with linear interpolation its error is below −140 dB.
const tableBits = 13

// sineTable is one turn of a sine, and its first value again.
var sineTable = sync.OnceValue(func() *[1<<tableBits + 1]float64 {
	var table [1<<tableBits + 1]float64
	for i := range table {
		table[i] = exact(math.Sin(2 * math.Pi * float64(i) / (1 << tableBits)))
	}
	return &table
})

// oscillator is a sine whose phase counts 2^64 steps a turn, so that it neither drifts nor loses precision.
type oscillator struct {
	table       *[1<<tableBits + 1]float64
	phase, step uint64
}

// turn is one whole turn of an oscillator's phase.
const turn = 1 << 64

// newOscillator starts at a phase, in turns from 0 to 1, with a pitch in Hz.
func newOscillator(pitch, phase float64) oscillator {
	return oscillator{table: sineTable(), phase: uint64(phase * turn), step: steps(pitch)}
}

func steps(pitch float64) uint64 { return uint64(pitch / rate * turn) }

// next returns the sine now and moves on by one sample.
func (o *oscillator) next() float64 {
	const rest = 64 - tableBits
	i := o.phase >> rest
	fraction := float64(int64(o.phase&(1<<rest-1))) / (1 << rest)
	o.phase += o.step
	return o.table[i] + float64(fraction*(o.table[i+1]-o.table[i]))
}

// tone adds a steady sine under an envelope to the layer, and returns it. Where the layer loops, give it a pitch from looped.
func (l layer) tone(pitch, phase, gain float64, envelope layer) layer {
	o := newOscillator(pitch, phase)
	for i, level := range envelope {
		l[i] += float64(gain * level * o.next())
	}
	return l
}

// glide adds a sine whose pitch follows a curve of Hz, times a ratio, under an envelope to the layer.
func (l layer) glide(pitch layer, ratio, gain float64, envelope layer) {
	o := newOscillator(0, 0)
	for i, level := range envelope {
		o.step = steps(ratio * pitch[i])
		l[i] += float64(gain * level * o.next())
	}
}

// looped is the pitch nearest to the given one that makes a whole number of turns in n samples.
func looped(pitch float64, n int) float64 {
	return math.Round(pitch*float64(n)/rate) * rate / float64(n)
}
