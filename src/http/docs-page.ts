/** The contract as one page for people: plain HTML, made of the OpenAPI document. */
import { PROBLEMS } from '../base/problem.ts'
import { METHODS, TAGS } from './operation.ts'
import type { Json, JsonObject } from './openapi.ts'

/** The page of this OpenAPI document. */
export function docsPage(contract: JsonObject): string {
  const info = objectOf(contract['info'])
  const all = { ...objectOf(contract['paths']), ...objectOf(contract['webhooks']) }
  const operations = Object.entries(all).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const one = objectOf(item)[method]
      return one === undefined ? [] : [{ path, method, one: objectOf(one) }]
    }),
  )
  const byTag = TAGS.map((tag) => ({
    tag,
    here: operations.filter(({ one }) => listOf(one['tags']).includes(tag)),
  })).filter(({ here }) => here.length > 0)
  const contents = byTag.map(
    ({ tag, here }) =>
      `<h2>${tag}</h2><ul>${here
        .map(({ one }) => {
          const id = textOf(one['operationId'])
          return `<li><a href="#${id}">${escape(textOf(one['summary']))}</a></li>`
        })
        .join('')}</ul>`,
  )
  const sections = byTag.map(
    ({ tag, here }) => `<h2>${tag}</h2>${here.map((one) => operationSection(one)).join('')}`,
  )
  const schemas = Object.entries(objectOf(objectOf(contract['components'])['schemas'])).map(
    ([name, schema]) =>
      `<section id="schema-${name}"><h3>${name}</h3>${fieldsOf(objectOf(schema))}</section>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Bahi: the API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>${STYLE}</style></head>
<body><nav><h1>Bahi</h1><p>${escape(textOf(info['version']))}<br>
<a href="/openapi.json">openapi.json</a></p>${contents.join('')}
<h2><a href="#problems">Problems</a></h2><h2><a href="#schemas">Schemas</a></h2></nav>
<main><p>${prose(textOf(info['description']))}</p>${sections.join('')}
<h2 id="problems">Problems</h2>${problemsTable()}
<h2 id="schemas">Schemas</h2>${schemas.join('')}</main></body></html>
`
}

const STYLE = `body{margin:0;font:15px/1.5 system-ui,sans-serif;color:#1b1b1b;display:flex}
nav{width:17rem;flex:none;box-sizing:border-box;height:100vh;position:sticky;top:0;overflow:auto;
padding:1rem;background:#f6f4ef;font-size:14px}nav ul{list-style:none;padding:0;margin:0}
nav h2{font-size:14px;margin:1rem 0 .2rem}main{max-width:56rem;padding:1rem 2rem;min-width:0}
section{border-top:1px solid #ddd;padding:.6rem 0 1rem}h3{margin:.4rem 0}a{color:#7a2e0e}
code,.path{font:13px/1.5 ui-monospace,monospace}.path b{text-transform:uppercase}
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;
padding:.2rem .6rem .2rem 0;border-bottom:1px solid #eee;overflow-wrap:anywhere}
th{font-weight:600}ul{margin:.2rem 0;padding-left:1.2rem}
@media(max-width:50rem){body{display:block}nav{width:auto;height:auto;position:static}}`

function operationSection(given: { path: string; method: string; one: JsonObject }): string {
  const { path, method, one } = given
  const parameters = listOf(one['parameters']).map((each) => {
    const parameter = objectOf(each)
    const need = parameter['required'] === true ? ' (required)' : ''
    const schema = objectOf(parameter['schema'])
    const about = textOf(parameter['description']) || textOf(schema['description'])
    return row(
      `<code>${escape(textOf(parameter['name']))}</code>${need}`,
      `${typeOf(schema)} ${prose(about)}`,
    )
  })
  const body = objectOf(objectOf(objectOf(one['requestBody'])['content'])['application/json'])
  const answers = Object.entries(objectOf(one['responses'])).map(([status, answer]) =>
    row(status, answerCell(objectOf(answer))),
  )
  return `<section id="${textOf(one['operationId'])}"><h3>${escape(textOf(one['summary']))}</h3>
<p class="path"><b>${method}</b> ${escape(path)}</p><p>${prose(textOf(one['description']))}</p>
${parameters.length === 0 ? '' : `<table>${parameters.join('')}</table>`}
${body['schema'] === undefined ? '' : `<h4>Body</h4>${fieldsOf(objectOf(body['schema']))}`}
<h4>Answers</h4><table>${answers.join('')}</table></section>`
}

function answerCell(answer: JsonObject): string {
  const types = Object.entries(objectOf(answer['content'])).map(([media, of]) =>
    media === 'application/problem+json'
      ? ''
      : `<br><code>${media}</code> ${typeOf(objectOf(objectOf(of)['schema']))}`,
  )
  return prose(textOf(answer['description'])) + types.join('')
}

/** A schema's fields as a table, or what it is where it has none. */
function fieldsOf(schema: JsonObject): string {
  const required = listOf(schema['required'])
  const rows = Object.entries(objectOf(schema['properties'])).map(([name, field]) => {
    const need = required.includes(name) ? '' : ' (optional)'
    const about = prose(textOf(objectOf(field)['description']))
    return row(`<code>${escape(name)}</code>${need}`, `${typeOf(objectOf(field))} ${about}`)
  })
  return rows.length === 0 ? `<p>${typeOf(schema)}</p>` : `<table>${rows.join('')}</table>`
}

function typeOf(schema: JsonObject): string {
  const referred = /^#\/components\/schemas\/(\w+)$/.exec(textOf(schema['$ref']))?.[1]
  if (referred !== undefined) {
    return `<a href="#schema-${referred}">${referred}</a>`
  }
  const either = [...listOf(schema['anyOf']), ...listOf(schema['oneOf'])]
  if (either.length > 0) {
    return either.map((one) => typeOf(objectOf(one))).join(' or ')
  }
  if (schema['const'] !== undefined) {
    return `<code>${escape(JSON.stringify(schema['const']))}</code>`
  }
  const values = listOf(schema['enum'])
  if (values.length > 0) {
    return values.map((value) => `<code>${escape(JSON.stringify(value))}</code>`).join(', ')
  }
  if (schema['items'] !== undefined) {
    return `array of ${typeOf(objectOf(schema['items']))}`
  }
  if (Object.keys(objectOf(schema['properties'])).length > 0) {
    return `object${fieldsOf(schema)}`
  }
  const types = Array.isArray(schema['type']) ? schema['type'] : [schema['type'] ?? 'anything']
  return [...types.map(textOf), textOf(schema['format'])].filter((text) => text !== '').join(' ')
}

function problemsTable(): string {
  const rows = Object.entries(PROBLEMS).map(([code, [status, title]]) =>
    row(`<code id="problem-${code}">${code}</code>`, `${status} ${escape(title)}`),
  )
  return `<table>${rows.join('')}</table>`
}

function row(name: string, value: string): string {
  return `<tr><th>${name}</th><td>${value}</td></tr>`
}

/** Escaped text, with what stands in backticks as code. */
function prose(text: string): string {
  return escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : []
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : ''
}
