/** The schema as one SQL file: to be read, and loaded into an empty database to the same effect. */
import type { Catalog, FunctionRow, PartRow, TableRow } from './catalog.ts'
import type { Remarks } from './remarks.ts'

const HEAD = `-- The schema as the migrations leave it, to be read: \`npm run schema\` writes it.
-- A database is made by \`npm run migrate\`. The comments are the migrations' own.

set check_function_bodies = off;
`

/** The text of db/schema.sql. */
export function schemaText({ types, functions, tables, parts }: Catalog, remarks: Remarks): string {
  const partsOf = Map.groupBy(parts, ({ table }) => table)
  const said = new Set<string>()
  const pieces = [
    HEAD,
    title('What tables, types, triggers and walls rest on'),
    ...functions.filter((one) => one.is_first).map((one) => functionText(one, remarks)),
    title('Types'),
    ...types.map(({ name, sql }) => `${over(remarks, name)}${sql}\n`),
    ...tables.flatMap((table) => {
      const file = remarks.madeIn.get(table.name) ?? 'nowhere'
      const head = said.has(file) ? [] : [title(file, remarks.heads.get(file))]
      said.add(file)
      return [...head, tableText(table, partsOf.get(table.name) ?? [], remarks)]
    }),
    title('References to tables further down'),
    ...parts
      .filter(({ kind }) => kind === 'late_reference')
      .map(({ table, sql }) => `alter table ${table} add ${lower(sql)};\n`),
    title('What is called'),
    ...functions.filter((one) => !one.is_first).map((one) => functionText(one, remarks)),
  ]
  return pieces.join('\n')
}

function title(name: string, said: readonly string[] = []): string {
  return `\n-- ${'='.repeat(20)} ${name}\n${said.map((line) => `${line}\n`).join('')}`
}

function over({ over: remarks }: Remarks, what: string, indent = ''): string {
  return (remarks.get(what) ?? []).map((line) => `${indent}${line}\n`).join('')
}

function functionText(
  { name, signature, sql, is_public, grantees }: FunctionRow,
  remarks: Remarks,
) {
  return (
    `${over(remarks, name)}${sql.trimEnd()};\n` +
    (is_public ? '' : `revoke all on function ${signature} from public;\n`) +
    grantees.map((role) => `grant execute on function ${signature} to ${role};\n`).join('')
  )
}

function tableText(table: TableRow, parts: readonly PartRow[], remarks: Remarks): string {
  const { name, kind, definition, walls } = table
  const of = (wanted: PartRow['kind']) => parts.filter((part) => part.kind === wanted)
  const made = `${over(remarks, name)}create ${kind} ${name}`
  const grants = of('grant').map(({ sql }) => `${sql};\n`)
  if (kind === 'view') {
    const query = (definition ?? '').trimEnd()
    return `${made} with (security_invoker = true) as\n${query}\n${grants.join('')}`
  }
  const columns = of('column').map((part) => ({
    remark: over(remarks, `${name}.${part.name}`, '  '),
    sql: part.sql,
  }))
  const constraints = of('constraint').map((part) => ({
    remark: over(remarks, `${name}.${part.name}`, '  '),
    sql: lower(part.sql),
  }))
  const inside = [...columns, ...constraints]
  const body = inside.map(({ remark, sql }, place) => {
    return `${remark}  ${sql}${place === inside.length - 1 ? '' : ','}\n`
  })
  const options = definition === null || definition === '' ? '' : ` with (${definition})`
  return [
    `${made} (\n${body.join('')})${options};\n`,
    ...of('index').map((part) => `${over(remarks, part.name)}${lower(part.sql)};\n`),
    ...of('trigger').map(({ sql }) => `${lower(sql)};\n`),
    ...(walls === 'none' ? [] : [`alter table ${name} enable row level security;\n`]),
    ...(walls === 'forced' ? [`alter table ${name} force row level security;\n`] : []),
    ...of('policy').map(({ sql }) => `${sql};\n`),
    ...grants,
  ].join('')
}

const KEYWORD = /\b[A-Z]{2,}\b/g

/** As we write SQL; quoted texts are left as they are. */
function lower(sql: string): string {
  return sql
    .split(/('(?:[^']|'')*')/)
    .map((part, place) =>
      place % 2 === 1 ? part : part.replaceAll(KEYWORD, (word) => word.toLowerCase()),
    )
    .join('')
    .replaceAll(' public.', ' ')
}
