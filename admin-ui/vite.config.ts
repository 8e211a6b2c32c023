import { readFileSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

const apiUrl = 'http://127.0.0.1:8000' // make run

/** Emits the pages' operations by hash: the server may be configured to accept no others. */
const trustedDocuments: Plugin = {
  name: 'trusted-documents',
  generateBundle() {
    const source = readFileSync('src/gql/persisted-documents.json')
    this.emitFile({ type: 'asset', fileName: 'documents.json', source })
  },
}

export default defineConfig({
  plugins: [react(), trustedDocuments],
  build: {
    outDir: '../app/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // no data: URLs, which the admin UI's Content-Security-Policy forbids
    chunkSizeWarningLimit: 4000, // GraphiQL includes the Monaco editor
    rolldownOptions: {
      input: ['index.html', 'graphiql.html'],
      // "use client" of libraries means nothing in a browser bundle.
      onwarn(warning, warn) {
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning)
      },
    },
  },
  server: { proxy: { '/graphql': { target: apiUrl, ws: true }, '/ui-config.json': apiUrl, '/dev': apiUrl } },
})
