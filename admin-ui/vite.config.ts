import { readFileSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const api = 'http://127.0.0.1:8000' // make run

/** The operations of the pages by their hashes, for the server, which may be told to run no others. */
const documents: Plugin = {
  name: 'documents',
  generateBundle() {
    const source = readFileSync('src/gql/persisted-documents.json')
    this.emitFile({ type: 'asset', fileName: 'documents.json', source })
  },
}

export default defineConfig({
  plugins: [react(), documents],
  build: {
    outDir: '../app/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // no data: URLs of ours, so the admin page's CSP stays strict
    chunkSizeWarningLimit: 4000, // GraphiQL carries the Monaco editor
    rolldownOptions: {
      input: ['index.html', 'graphiql.html'],
      // Libraries mark React server-component borders with "use client"; a browser bundle has no such border.
      onwarn(warning, warn) {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning)
      },
    },
  },
  server: { proxy: { '/graphql': { target: api, ws: true }, '/ui-config.json': api, '/dev': api } },
})
