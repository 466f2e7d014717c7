/** Callers that post one after another, many at a time, and what their times say. */

export interface Measured {
  per_s: number
  p50_ms: number
  p99_ms: number
}

/** Lets `callers` run `call` again and again for `seconds`, after a warm-up that is not counted. */
export async function measureCallers(options: {
  callers: number
  seconds: number
  warmUpSeconds: number
  call(n: number): Promise<void>
}): Promise<Measured> {
  let n = 0
  const runFor = async (seconds: number): Promise<Float64Array> => {
    const end = performance.now() + seconds * 1000
    const times: number[] = []
    const caller = async (): Promise<void> => {
      while (performance.now() < end) {
        n += 1
        const start = performance.now()
        await options.call(n)
        times.push(performance.now() - start)
      }
    }
    await Promise.all(Array.from({ length: options.callers }, caller))
    return Float64Array.from(times).sort()
  }
  await runFor(options.warmUpSeconds)
  const start = performance.now()
  const times = await runFor(options.seconds)
  const seconds = (performance.now() - start) / 1000
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))]
  return {
    per_s: Math.round(times.length / seconds),
    p50_ms: rounded(at(0.5) ?? 0),
    p99_ms: rounded(at(0.99) ?? 0),
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}
