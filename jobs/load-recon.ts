/** Loads files of settlement lines and bank statements that somebody let be loaded. */
import { takeFile } from '../src/recon/files/file-turns.ts'
import { loadTaken } from '../src/recon/files/load-file.ts'
import type { Job } from './job.ts'

export const loadRecon: Job = {
  name: 'load-recon',
  async run(parts) {
    while (!parts.shouldStop()) {
      const taken = await takeFile(parts.db, 'loading')
      if (taken === null) {
        return
      }
      await loadTaken(parts, taken)
    }
  },
}
