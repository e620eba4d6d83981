// The whole version, for `npm run test:crash`.
import { crashSuite, nodesSuite } from "./suite.ts";

crashSuite({ pglite: 25, postgres: 25 });
nodesSuite(20);
