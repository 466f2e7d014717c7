/** Takes a source apart as far as the tidy test needs it: code, comments, functions, titles. */

export interface SourceParts {
  /** The source with comments and the insides of strings and regular expressions as spaces. */
  code: string
  /** The source with everything but comments as spaces. */
  comments: string
}

type Kind = 'code' | 'comment' | 'text'

/** Lines and columns stay where they are. */
export function partsOf(source: string): SourceParts {
  let code = ''
  let comments = ''
  let at = 0
  const take = (length: number, kind: Kind): void => {
    const piece = source.slice(at, at + length)
    const blank = piece.replaceAll(/[^\n]/g, ' ')
    code += kind === 'code' ? piece : blank
    comments += kind === 'comment' ? piece : blank
    at += piece.length
  }
  /** Braces that are open in each `${…}` around us. */
  const templates: number[] = []
  const takeTemplate = (): void => {
    take(lengthOf(/(?:\\[^]|\$(?!\{)|[^\\`$])*/y, source, at), 'text')
    if (source[at] === '$') {
      templates.push(0)
      take(2, 'code')
    } else {
      take(1, 'code')
    }
  }
  while (at < source.length) {
    const rest = source.slice(at, at + 2)
    const [char = ''] = rest
    if (rest === '//') {
      take(lengthOf(/[^\n]*/y, source, at), 'comment')
    } else if (rest === '/*') {
      take(lengthOf(/\/\*[^]*?(?:\*\/|$)/y, source, at), 'comment')
    } else if (char === "'" || char === '"') {
      take(1, 'code')
      take(
        lengthOf(char === "'" ? /(?:\\[^]|[^'\\\n])*/y : /(?:\\[^]|[^"\\\n])*/y, source, at),
        'text',
      )
      take(1, 'code')
    } else if (char === '`') {
      take(1, 'code')
      takeTemplate()
    } else if (char === '/' && startsRegExp(code)) {
      take(1, 'code')
      take(lengthOf(/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/[\\\n])*/y, source, at), 'text')
      take(1, 'code')
    } else if (char === '}' && templates.at(-1) === 0) {
      templates.pop()
      take(1, 'code')
      takeTemplate()
    } else {
      const last = templates.length - 1
      if (last >= 0 && (char === '{' || char === '}')) {
        templates[last] = (templates[last] ?? 0) + (char === '{' ? 1 : -1)
      }
      take(1, 'code')
    }
  }
  return { code, comments }
}

function lengthOf(pattern: RegExp, source: string, at: number): number {
  pattern.lastIndex = at
  return pattern.exec(source)?.[0].length ?? 0
}

/** True where a slash after this code begins a regular expression and is no division. */
function startsRegExp(code: string): boolean {
  const before = code.trimEnd()
  return before === '' || /[(,=:[!&|?{};+\-*%<>~^]$|\b(?:return|typeof|case|of|in)$/.test(before)
}

export interface LongFunction {
  line: number
  length: number
}

const OPENS =
  /^(\s*)(?:.*\bfunction\b.*|.*=> \{|(?:(?:async|get|set|static) )*\*?[\w$]+\(.*\)(?:: .+)? \{)$/
const NO_FUNCTION = /^\s*(?:if|for|while|switch|catch|else|return|describe)\b|\bdescribe\(/

/** Functions of more than `most` lines, told by the indentation that the formatter gives them. */
export function longFunctions(code: string, most: number): LongFunction[] {
  const lines = code.split('\n')
  return lines.flatMap((line, index): LongFunction[] => {
    const indent = OPENS.exec(line)?.[1]
    if (indent === undefined || NO_FUNCTION.test(line) || /\{.*\}[,;)]*$/.test(line)) {
      return []
    }
    const end = lines.findIndex((one, place) => place > index && one.startsWith(`${indent}}`))
    const length = end === -1 ? 0 : end - index + 1
    return length > most ? [{ line: index + 1, length }] : []
  })
}

/** The arguments of every call of these names, as code. */
export function argumentsOf(code: string, names: readonly string[]): string[] {
  const calls = code.matchAll(new RegExp(`\\b(?:${names.join('|')})(?:<[^()]*>)?\\(`, 'g'))
  return [...calls].map((call) => {
    const start = call.index + call[0].length
    let depth = 1
    let end = start
    for (; end < code.length && depth > 0; end += 1) {
      depth += code[end] === '(' ? 1 : code[end] === ')' ? -1 : 0
    }
    return code.slice(start, end - 1)
  })
}

/** Full titles of a test file's tests, told by indentation. */
export function titlesOf(source: string): string[] {
  const around: { indent: number; title: string }[] = []
  const titles: string[] = []
  const lines = source.split('\n')
  lines.forEach((line, index) => {
    const [, indent, kind, rest] = /^(\s*)(describe|it)\((.*)$/.exec(line) ?? []
    if (indent === undefined || rest === undefined) {
      return
    }
    const title = literalOf(rest === '' ? (lines[index + 1] ?? '') : rest)
    while ((around.at(-1)?.indent ?? -1) >= indent.length) {
      around.pop()
    }
    if (kind === 'describe') {
      around.push({ indent: indent.length, title })
    } else {
      titles.push([...around.map((one) => one.title), title].join(' '))
    }
  })
  return titles
}

function literalOf(text: string): string {
  const [, , inside] = /^\s*(['"`])((?:\\.|(?!\1).)*)\1/.exec(text) ?? []
  return inside ?? text.replace(/, (?:async )?\(.*$/, '').trim()
}
