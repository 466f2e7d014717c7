/** Text as Postgres' COPY reads it: a tab between columns, a line feed behind each row. */

const SPECIAL = /[\\\t\n\r]/g

const WRITTEN: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
}

/** One column; most texts have nothing in them that COPY would take for its own. */
export function copyText(text: string): string {
  return text.search(SPECIAL) === -1
    ? text
    : text.replaceAll(SPECIAL, (character) => WRITTEN[character] ?? '')
}
