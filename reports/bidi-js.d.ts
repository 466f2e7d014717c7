/** The part of bidi-js used here: its own types describe a module that Node cannot import. */
declare module 'bidi-js' {
  interface Bidi {
    /** A level for each UTF-16 unit: odd ones run from right to left. */
    getEmbeddingLevels(text: string, base: 'auto'): { levels: Uint8Array }
    /** The bracket that looks the other way, where there is one. */
    getMirroredCharacter(character: string): string | null
  }
  const makeBidi: () => Bidi
  export = makeBidi
}
