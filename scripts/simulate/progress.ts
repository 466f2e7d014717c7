/** Shows on a stream how far a run is: a bar on a terminal, else a line every few seconds. */
import type { Progress } from './play.ts'

/** The part of a stream that is needed here. */
export interface Screen {
  isTTY?: boolean
  write(text: string): unknown
}

export interface ProgressView {
  show(progress: Progress): void
  /** Clears the bar, so that what is printed next begins on a line of its own. */
  end(): void
}

const BAR_WIDTH = 30
const BAR_EVERY_MS = 100
const LINE_EVERY_MS = 3000

/** `monotonicMs` gives a time that only grows; it decides when to draw again. */
export function createProgressView(screen: Screen, monotonicMs: () => number): ProgressView {
  const terminal = screen.isTTY === true
  const every = terminal ? BAR_EVERY_MS : LINE_EVERY_MS
  let drawnAt = monotonicMs()
  let drawn = false
  return {
    show(progress) {
      const now = monotonicMs()
      const finished = progress.done === progress.total
      if (now - drawnAt < every && !(finished && terminal)) {
        return
      }
      drawnAt = now
      drawn = true
      screen.write(terminal ? `\r\u001b[K${barOf(progress)}` : `${lineOf(progress)}\n`)
    },
    end() {
      if (terminal && drawn) {
        screen.write('\r\u001b[K')
      }
      drawn = false
    },
  }
}

const WORDS: Record<Progress['phase'], string> = {
  opening: 'opening donations',
  sending: 'sending webhooks',
}

function lineOf(progress: Progress): string {
  const retries = progress.retries === 0 ? '' : `, ${progress.retries} retries`
  const unexpected = progress.unexpected === 0 ? '' : `, ${progress.unexpected} unexpected answers`
  return `${WORDS[progress.phase]} ${progress.done}/${progress.total}${retries}${unexpected}`
}

function barOf(progress: Progress): string {
  const filled = Math.floor((progress.done / Math.max(1, progress.total)) * BAR_WIDTH)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${lineOf(progress)}`
}
