/** The part of fontkit used here: it comes without types, and pdfkit's types do not know it. */
declare module 'fontkit' {
  export interface Font {
    readonly postscriptName: string
    /** Code points that the font has a glyph for. */
    readonly characterSet: number[]
    /** Glyphs made so far, each with the code points it was first made for. */
    _glyphs: Record<number, unknown>
    /** Makes the glyph, where it is not made yet, for this code point. */
    glyphForCodePoint(codePoint: number): unknown
  }
  export function create(bytes: Uint8Array): Font
}

declare namespace PDFKit.Mixins {
  interface PDFFont {
    /** PDFKit takes a font that is already parsed as well as its bytes. */
    registerFont(name: string, font: import('fontkit').Font): this
  }
}
