/** What finds what, in sentences as people write them, in the scripts of the world. */
import { describe, expect, test } from 'vitest'
import type { Filter } from '../../../feedgen/algorithms/definition.ts'
import { coverOf, keysOf } from '../../../feedgen/algorithms/keys.ts'
import { compileRegex } from '../../../feedgen/algorithms/regex.ts'
import { compileRule, decide } from '../../../feedgen/algorithms/rule.ts'
import { featuresOf } from '../../../feedgen/facts/features.ts'

interface Sentence {
  script: string
  text: string
  finds: string[]
  misses: string[]
  regexes?: string[]
  regexMisses?: string[]
}

const sentences: Sentence[] = [
  {
    script: 'Latin with marks',
    text: 'Ce soir on mange une crème brûlée à Besançon. Straße',
    finds: ['crème', 'CRÈME BRÛLÉE', 'cre\u0300me', 'besançon', 'STRASSE'],
    misses: ['creme', 'brul', 'crème besançon', 'ange'],
    regexes: ['\\bcrème\\b', '(?i)\\bÀ besan', '^\\w+ \\w+ \\w+'],
    regexMisses: ['\\bbrûl\\b', '\\bme\\b'],
  },
  {
    script: 'Vietnamese',
    text: 'Hôm nay trời đẹp, đi uống cà phê nhé!',
    finds: ['cà phê', 'CÀ PHÊ', 'đẹp', 'trời đẹp'],
    misses: ['phe', 'hô'],
    regexes: ['\\bcà phê\\b'],
    regexMisses: ['\\bph\\b'],
  },
  {
    script: 'Turkish',
    text: 'İSTANBUL’da yağmur var, IŞIK yok',
    finds: ['istanbul', 'İstanbul', 'ışık', 'yağmur'],
    misses: ['yağ', 'stanbul'],
    regexes: ['\\byağmur\\b'],
  },
  {
    script: 'Greek',
    text: 'Η ΑΘΉΝΑ είναι όμορφη το καλοκαίρι, λέει ο Γιώργος',
    finds: ['Αθήνα', 'ΑΘΗΝΑ', 'αθηνα', 'γιωργος', 'ΓΙΩΡΓΟΣ', 'όμορφη'],
    misses: ['θήνα', 'καλο'],
    regexes: ['(?i)\\bγιώργος\\b', '\\bείναι\\b'],
    regexMisses: ['\\bίναι\\b'],
  },
  {
    script: 'Cyrillic',
    text: 'Мой кот всё ещё спит. Україна, їжак і за́мок',
    finds: ['КОТ', 'все', 'всё еще', 'україна', 'їжак', 'замок'],
    misses: ['которы', 'ко', 'іжак', 'мои'],
    regexes: ['(?i)\\bКОТ\\b', '\\bїжак\\b', '\\w+\\s\\w+'],
    regexMisses: ['\\bпи\\b', '\\bко\\b'],
  },
  {
    script: 'Arabic without vowel marks',
    text: 'ذهبت الى المدرسة وقرأت كتابا',
    finds: ['المدرسة', 'الْمَدْرَسَة', 'كِتَابًا', 'إلى'],
    misses: ['مدرس', 'كتا'],
    regexes: ['\\bالمدرسة\\b'],
    regexMisses: ['\\bمدرسة\\b'],
  },
  {
    script: 'Arabic with vowel marks',
    text: 'أَهْلًا وَسَهْلًا بِكُمْ فِي الْعَرَبِيَّــة',
    finds: ['أهلا', 'اهلا وسهلا', 'العربية', 'بكم'],
    misses: ['سهلا', 'عربية'],
    regexes: ['\\bفِي\\b', 'فِي\\s'],
  },
  {
    script: 'Persian',
    text: 'من می‌خواهم کتاب بخوانم',
    finds: ['می‌خواهم', 'میخواهم', 'كتاب', 'کتاب'],
    misses: ['خواه', 'کتا'],
    regexes: ['\\bکتاب\\b', '^\\w+ \\w+ \\w+ \\w+$'],
  },
  {
    script: 'Hebrew',
    text: 'שָׁלוֹם לְכֻלָּם, צה״ל ותל־אביב',
    finds: ['שלום', 'לכלם', 'צה״ל', 'אביב', 'ותל־אביב'],
    misses: ['שלו', 'ביב'],
    regexes: ['\\bאביב\\b'],
    regexMisses: ['\\bביב\\b'],
  },
  {
    script: 'Devanagari',
    text: 'मुझे हिन्दी में किताबें पढ़ना पसंद है।',
    finds: ['हिन्दी', 'हिन्\u200Dदी', 'पढ़ना', 'किताबें', 'हिन्दी में'],
    misses: ['हिन्द', 'किताब', 'पढ'],
    regexes: ['\\bहिन्दी\\b', '\\w+ \\w+ है'],
    regexMisses: ['\\bहिन\\b', '\\bहिन्\\b'],
  },
  {
    script: 'Bengali',
    text: 'আমার সোনার বাংলা, আমি তোমায় ভালোবাসি',
    finds: ['বাংলা', 'সোনার বাংলা', 'ভালোবাসি', 'তোমায়'],
    misses: ['বাং', 'ভালো'],
    regexes: ['\\bবাংলা\\b'],
    regexMisses: ['\\bবা\\b'],
  },
  {
    script: 'Tamil',
    text: 'தமிழ் எங்கள் உயிருக்கு நேர்',
    finds: ['தமிழ்', 'எங்கள் உயிருக்கு'],
    misses: ['தமி', 'உயிர்'],
    regexes: ['^\\w+\\s\\w+'],
    regexMisses: ['\\bதமி\\b'],
  },
  {
    script: 'Thai',
    text: 'วันนี้อากาศดีมาก ไปดื่มกาแฟกัน',
    finds: ['อากาศ', 'กาแฟ', 'ดีมาก', 'วันนี้'],
    misses: ['แฟชั่น', 'ดีดี', 'น้ำ'],
    regexes: ['กาแฟ', '\\s'],
  },
  {
    script: 'Lao',
    text: 'ສະບາຍດີ ຂ້ອຍມັກກິນເຂົ້າໜຽວ',
    finds: ['ສະບາຍດີ', 'ເຂົ້າໜຽວ', 'ກິນ'],
    misses: ['ລາວ', 'ດີສະ'],
    regexes: ['\\bສະບາຍດີ\\b'],
  },
  {
    script: 'Khmer',
    text: 'ខ្ញុំស្រឡាញ់ភាសាខ្មែរ\u200Bណាស់',
    finds: ['ភាសាខ្មែរ', 'ខ្ញុំ', 'ស្រឡាញ់'],
    misses: ['ភាសាថៃ', 'ខ្មែរភាសា'],
    regexes: ['ខ្មែរ\\b'],
  },
  {
    script: 'Burmese',
    text: 'မြန်မာစာကို ချစ်တယ်။',
    finds: ['မြန်မာ', 'မြန်မာစာ', 'ချစ်'],
    misses: ['စာမြန်မာ', 'မုန်း'],
    regexes: ['\\bမြန်မာစာကို\\b'],
  },
  {
    script: 'Georgian',
    text: 'თბილისი ძალიან ლამაზია, ᲗᲑᲘᲚᲘᲡᲘ',
    finds: ['თბილისი', 'ᲗᲑᲘᲚᲘᲡᲘ', 'ძალიან ლამაზია'],
    misses: ['თბილ', 'ლამაზი'],
    regexes: ['\\bლამაზია\\b'],
    regexMisses: ['\\bლამაზი\\b'],
  },
  {
    script: 'Armenian',
    text: 'Ինչո՞ւ չես գալիս Երևան',
    finds: ['ինչու', 'Ինչո՞ւ', 'երևան', 'ԵՐԵՒԱՆ'],
    misses: ['ինչ', 'երև'],
    regexes: ['\\bչես\\b'],
    regexMisses: ['\\bչե\\b'],
  },
  {
    script: 'Ethiopic',
    text: 'አዲስ፡አበባ በጣም ቆንጆ ናት።',
    finds: ['አበባ', 'አዲስ አበባ', 'ቆንጆ'],
    misses: ['አበ', 'አዲስአበባ'],
    regexes: ['\\bአበባ\\b'],
    regexMisses: ['\\bአበ\\b'],
  },
  {
    script: 'Chinese, simplified',
    text: '今天去东京看猫，买了iPhone手机',
    finds: ['东京', '猫', 'iphone', 'iPhone手机', '看猫'],
    misses: ['京东', '東京', 'phone'],
    regexes: ['猫', '\\p{Han}{2}'],
  },
  {
    script: 'Chinese, traditional',
    text: '今天去東京看貓咪，ＡＰＰ很好用',
    finds: ['東京', '貓咪', 'app'],
    misses: ['东京', '咪貓', 'ap'],
    regexes: ['貓咪'],
  },
  {
    script: 'Japanese',
    text: 'サッカーW杯を見た。コーヒー飲んで、ﾈｺと寝る時々ラーメン',
    finds: ['サッカー', 'W杯', 'コーヒー', 'ネコ', '時々', 'ラーメン', 'サッカーw杯'],
    misses: ['杯W', 'メンラー'],
    regexes: ['サッカー', 'ー'],
  },
  {
    script: 'Korean with particles',
    text: '고양이가 책을 읽고 서울에서는 차이를 느꼈다. K팝 좋아',
    finds: ['고양이', '책', '서울', '차이', 'K팝', '고양이가 책을'],
    misses: ['양이', '차', '울에서'],
    regexes: ['\\b고양이', '책을\\b'],
    regexMisses: ['\\b양이', '\\b고양이\\b'],
  },
  {
    script: 'emoji with modifiers, flags and joiners',
    text: 'Love ❤️ from 🇧🇩🇪🇸 👩🏽‍💻 👍🏿 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿🔥🔥',
    finds: ['❤', '❤️', '❤\uFE0E', '🇧🇩', '🇪🇸', '👩‍💻', '👩🏽‍💻', '👍', '👍🏿', '1️⃣', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🔥', 'love ❤'],
    misses: ['🇩🇪', '👩', '💻', '👍🏻', '🏴', '👨‍👩‍👧'],
    regexes: ['❤', '🔥{2}'],
  },
  {
    script: 'signs at the edges of words',
    text: 'Learning C++ and C# on .NET, buying $NVDA #Art <3 at AT&T (really!)',
    finds: [
      'c++',
      'C#',
      '.net',
      '$nvda',
      'nvda',
      '#art',
      'art',
      '<3',
      'at&t',
      'really',
      '"really"',
      'learning c++',
    ],
    misses: ['c+', '#nvda', '$art', 'c++ #art', '++c', 'f#', '@art'],
  },
]

const holds = (filter: Filter, record: object) => {
  const rule = compileRule(filter, 'where')
  const features = featuresOf(record as never, 'did:plc:a')
  const found = decide(rule, features)
  // Whatever is found is found by its keys too.
  const { keys, share } = coverOf(rule)
  if (found && share < 1000)
    expect(keys.some(({ kind, value }) => keysOf(features, kind).includes(value))).toBe(true)
  return found
}

describe.for(sentences)('$script', ({ text, finds, misses, regexes = [], regexMisses = [] }) => {
  test.for([text, text.normalize('NFD'), text.normalize('NFC')])('words and phrases', (written) => {
    const has = (word: string) => holds({ kind: 'text', words: [word] }, { text: written })
    expect(finds.filter((word) => !has(word))).toEqual([])
    expect(misses.filter((word) => has(word))).toEqual([])
    const phrase = (phrase: string) => holds({ kind: 'text', phrase }, { text: written })
    expect(finds.filter((words) => !phrase(words.normalize('NFD')))).toEqual([])
  })

  test('expressions', () => {
    const matches = (regex: string) => compileRegex(regex, '').matches(text)
    expect(regexes.filter((regex) => !matches(regex))).toEqual([])
    expect(regexMisses.filter((regex) => matches(regex))).toEqual([])
    const decomposed = (regex: string) =>
      compileRegex(regex.normalize('NFD'), '').matches(text.normalize('NFD'))
    expect(regexes.filter((regex) => !decomposed(regex))).toEqual([])
  })

  test('a word is a tag, however it is written', () => {
    const [word] = finds.filter((word) => /^[\p{L}\p{M}]+$/u.test(word))
    if (word === undefined) return
    for (const [said, wanted] of [
      [word, `#${word.normalize('NFD')}`],
      [word.toUpperCase(), word],
      [`＃${word}`, word],
    ] as const)
      expect(holds({ kind: 'tag', any: [wanted] }, { text: '', tags: [said] })).toBe(true)
  })
})

describe('languages', () => {
  test.for([
    [['pt-BR'], 'pt', true],
    [['pt-BR'], 'pt_br', true],
    [['PT_br'], 'pt-BR', true],
    [['pt'], 'pt-BR', false],
    [['zh-Hant-TW'], 'zh-TW', true],
    [['zh-TW'], 'zh-Hant', true],
    [['zh-CN'], 'zh-Hant', false],
    [['en'], 'en-US', false],
    [['eng'], 'en', true],
    [['iw'], 'he', true],
    [['sr-Latn-RS'], '*-Latn', true],
    [['de-x-tw'], 'de-TW', false],
    [['not a language'], 'en', false],
    [[], '*', false],
  ] as const)('%j is taken in by %s: %s', ([langs, any, expected]) => {
    expect(holds({ kind: 'lang', any: [any] }, { text: '', langs })).toBe(expected)
  })
})

describe('hosts', () => {
  test.for([
    ['https://bücher.example/a', 'bücher.example', true],
    ['https://xn--bcher-kva.example/a', 'Bücher.example', true],
    ['https://www.BÜCHER.example./a', 'xn--bcher-kva.example', true],
    ['https://例え.jp', 'xn--r8jz45g.jp', true],
    ['https://a.b.org:8080/x', 'https://b.org/y?z', true],
    ['https://user@b.org', '*.b.org', true],
    ['https://notb.org', 'b.org', false],
    ['https://b.org.evil.com', 'b.org', false],
    ['at://b.org/x', 'b.org', false],
  ] as const)('%s is of %s: %s', ([uri, domain, expected]) => {
    const facets = [{ features: [{ $type: 'app.bsky.richtext.facet#link', uri }] }]
    expect(holds({ kind: 'domain', any: [domain] }, { text: '', facets })).toBe(expected)
  })
})
