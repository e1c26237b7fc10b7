/**
 * The neighbourhood of `npm run demo`: who lives there, who follows whom, and what was said today.
 * Plain data.
 */

export interface Person {
  displayName: string
  description: string
  /** The names of those whom this one follows. */
  follows: string[]
}

export interface DemoPost {
  /** What `replyTo` of other posts calls it. */
  id: string
  author: string
  /** Hashtags and links in it become facets. */
  text: string
  /** How long ago it was written. */
  hoursAgo: number
  langs?: string[]
  replyTo?: string
  /** What the picture shows; one is drawn and attached. */
  picture?: string
  likedBy?: string[]
  repostedBy?: string[]
}

/** Through whose eyes the feeds are shown. */
export const viewer = 'alice'
/** In whose repository the feeds are published. */
export const publisher = 'olga'

export const people: Record<string, Person> = {
  alice: {
    displayName: 'Alice',
    description: 'Teaches geography. Walks home the long way.',
    follows: ['bruno', 'chiara', 'dalia', 'emil'],
  },
  bruno: {
    displayName: 'Bruno',
    description: 'Bread, mostly rye.',
    follows: ['alice', 'chiara', 'greta', 'jonas'],
  },
  chiara: {
    displayName: 'Chiara Conti',
    description: 'Harbour pilot. Opinions on knots.',
    follows: ['alice', 'dalia', 'kofi'],
  },
  dalia: {
    displayName: 'Dalia',
    description: 'Photographs of very small things.',
    follows: ['farid', 'ivo'],
  },
  emil: {
    displayName: 'Emil',
    description: 'The night bus, line 7.',
    follows: ['bruno', 'farid', 'lena'],
  },
  farid: { displayName: 'Farid', description: 'Radio repair and chess.', follows: ['kofi', 'lena', 'olga'] },
  greta: { displayName: 'Greta', description: 'Bibliothekarin.', follows: ['bruno', 'ivo', 'alice'] },
  ivo: { displayName: 'Ivo', description: 'Counts birds.', follows: ['dalia', 'greta'] },
  jonas: { displayName: 'Jonas', description: 'Plays the bass at weddings.', follows: ['bruno', 'lena'] },
  kofi: {
    displayName: 'Kofi',
    description: 'Bicycles, old ones.',
    follows: ['chiara', 'farid', 'jonas', 'olga'],
  },
  lena: { displayName: 'Lena', description: 'Allotment 14.', follows: ['emil', 'farid', 'kofi'] },
  olga: {
    displayName: 'Olga',
    description: 'Runs the feeds around here.',
    follows: ['farid', 'kofi', 'alice'],
  },
}

/** Oldest first. */
export const posts: DemoPost[] = [
  {
    id: 'starlings',
    author: 'ivo',
    text: 'Four thousand starlings over the grain silo tonight, give or take. They turned all at once and the sky clicked. #birds',
    hoursAgo: 22,
    likedBy: ['dalia', 'greta', 'alice', 'farid', 'kofi', 'lena', 'jonas', 'olga'],
    repostedBy: ['greta', 'dalia'],
  },
  {
    id: 'silence',
    author: 'emil',
    text: 'Three passengers on the whole round after midnight, and all three said thank you.',
    hoursAgo: 19,
    likedBy: ['alice', 'lena', 'bruno'],
  },
  {
    id: 'radio',
    author: 'farid',
    text: 'A 1961 valve radio came in with a wasps’ nest where the speaker should be. It still played.',
    hoursAgo: 17,
    likedBy: ['kofi', 'olga', 'emil', 'dalia', 'lena'],
    repostedBy: ['kofi'],
  },
  {
    id: 'wasps',
    author: 'dalia',
    text: 'Please say you kept the nest.',
    hoursAgo: 16.8,
    replyTo: 'radio',
    likedBy: ['farid'],
  },
  {
    id: 'kept',
    author: 'farid',
    text: 'It is on the shelf, next to the spare valves. Come and see it.',
    hoursAgo: 16.5,
    replyTo: 'wasps',
    likedBy: ['dalia', 'ivo'],
  },
  {
    id: 'buch',
    author: 'greta',
    text: 'Zurück nach 31 Jahren: ein Band Rilke, mit einem Zettel darin: „Es hat gedauert.“ Keine Mahngebühr.',
    hoursAgo: 14,
    langs: ['de'],
    likedBy: ['bruno', 'ivo', 'alice', 'chiara', 'jonas', 'olga'],
    repostedBy: ['bruno'],
  },
  {
    id: 'fog',
    author: 'chiara',
    text: 'Fog down to the waterline. We brought a two-hundred-metre ship in by listening.',
    hoursAgo: 11,
    likedBy: ['alice', 'kofi', 'bruno', 'dalia', 'emil', 'farid', 'greta'],
    repostedBy: ['kofi'],
  },
  { id: 'fog2', author: 'alice', text: 'Listening for what?', hoursAgo: 10.8, replyTo: 'fog' },
  {
    id: 'fog3',
    author: 'chiara',
    text: 'The buoys. Each bell was cast to a different note, and nobody remembers who thought of it.',
    hoursAgo: 10.5,
    replyTo: 'fog2',
    likedBy: ['alice', 'jonas', 'farid'],
  },
  {
    id: 'rye',
    author: 'bruno',
    text: 'The starter is twelve years old today. It got a birthday feed and has already outgrown the jar. #baking',
    hoursAgo: 9,
    likedBy: ['alice', 'greta', 'jonas', 'chiara'],
  },
  {
    id: 'moss',
    author: 'dalia',
    text: 'Moss on the station wall, a hand’s width of it. There are at least four forests in here.',
    hoursAgo: 8,
    picture: 'A green and golden blur: moss, seen from very close.',
    likedBy: ['ivo', 'alice', 'greta', 'farid', 'chiara', 'kofi', 'lena', 'bruno', 'olga'],
    repostedBy: ['ivo', 'lena'],
  },
  {
    id: 'bici',
    author: 'kofi',
    text: 'Alguien ha dejado una bicicleta de 1950 en la puerta, con una nota: «para quien la entienda». #bicis',
    hoursAgo: 7,
    langs: ['es'],
    likedBy: ['farid', 'jonas', 'chiara'],
  },
  {
    id: 'bici2',
    author: 'jonas',
    text: 'Entonces es tuya, no hay duda.',
    hoursAgo: 6.7,
    langs: ['es'],
    replyTo: 'bici',
    likedBy: ['kofi'],
  },
  {
    id: 'map',
    author: 'alice',
    text: 'Asked the class to draw the town from memory. Every single map has the bakery in the middle.',
    hoursAgo: 6,
    likedBy: ['bruno', 'chiara', 'greta', 'olga', 'emil'],
    repostedBy: ['bruno'],
  },
  {
    id: 'map2',
    author: 'bruno',
    text: 'I shall frame all of them.',
    hoursAgo: 5.9,
    replyTo: 'map',
    likedBy: ['alice', 'greta'],
  },
  {
    id: 'beans',
    author: 'lena',
    text: 'Lost the beans to slugs, again. Won a conversation with the neighbour over it, so I call it even. #garden',
    hoursAgo: 5,
    likedBy: ['kofi', 'emil'],
  },
  {
    id: 'bass',
    author: 'jonas',
    text: 'Wedding number 200 on Saturday. They asked for no slow songs at all. This is a trap.',
    hoursAgo: 4,
    likedBy: ['lena', 'bruno', 'kofi'],
  },
  {
    id: 'chess',
    author: 'farid',
    text: 'Lost to the boy from the second floor. He apologised, which was worse.',
    hoursAgo: 3,
    likedBy: ['olga', 'kofi', 'lena', 'emil', 'alice', 'dalia'],
    repostedBy: ['olga', 'emil'],
  },
  {
    id: 'ferry',
    author: 'chiara',
    text: 'The old ferry goes for scrap in the morning. Everyone who ever worked on her is suddenly on the quay.',
    hoursAgo: 2,
    likedBy: ['alice', 'kofi'],
  },
  {
    id: 'seven',
    author: 'emil',
    text: 'Line 7 has a new stop as of tonight. It is called “By the old ferry”, and I had nothing to do with it.',
    hoursAgo: 1,
    likedBy: ['chiara', 'lena'],
    repostedBy: ['chiara'],
  },
  {
    id: 'heron',
    author: 'ivo',
    text: 'A heron has worked out when the fishmonger closes.',
    hoursAgo: 0.5,
    likedBy: ['greta'],
  },
  {
    id: 'rain',
    author: 'greta',
    text: 'Es regnet, und der Lesesaal ist voll. Endlich.',
    hoursAgo: 0.2,
    langs: ['de'],
  },
]

/** Said last of all: once it is in a feed, so is everything before it. */
export const lastPost: DemoPost = {
  id: 'last',
  author: publisher,
  text: 'Four feeds are up for this street now. Same posts, four ways to look at them: pick one. #feeds',
  hoursAgo: 0,
}
