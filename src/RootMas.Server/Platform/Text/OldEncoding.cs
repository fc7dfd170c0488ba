using System.Collections.Frozen;
using System.Text;

namespace RootMas.Server.Platform.Text;

/// <summary>
/// In which of the encodings before Unicode a text is written: Windows-1252, or one of the three in which Russian was: Windows-1251, KOI8-R and code page 866.
/// Russian words consist of letters above ASCII, those of Western languages have single ones among letters of ASCII; and letters that are as often as in Russian, with capitals where words begin, are seen in one of the three only.
/// </summary>
internal static class OldEncoding
{
    /// <summary>Letters that are looked at: more make it no more certain.</summary>
    private const int Enough = 4_000;

    private const int Windows1251 = 1251;

    /// <summary>What Windows wrote is the likelier one.</summary>
    private const double Usual = 2.5;

    private const string Vowels = "аеёиоуыэюя";

    /// <summary>No letters, and no rubbish either.</summary>
    private const string Signs = "«»„“”–—…№©®°·\u00A0€™‘’•§±";

    /// <summary>Of a hundred letters of Russian text; ё, ъ and ф more, for short ones.</summary>
    private static readonly FrozenDictionary<char, double> Share = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё".Zip(
        (double[])[10.97, 8.45, 8.01, 7.35, 6.70, 6.26, 5.47, 4.73, 4.54, 4.40, 3.49, 3.21, 2.98, 2.81, 2.62, 2.01, 1.90, 1.74, 1.70, 1.65, 1.59, 1.44, 1.21, 0.97, 0.94, 0.73, 0.64, 0.48, 0.36, 0.32, 0.26, 0.3, 1.0])
        .ToFrozenDictionary(static p => p.First, static p => p.Second);

    private static readonly (int Page, string High)[] Russian = Array.ConvertAll([Windows1251, 20866, 866], static page => (page, Table(page)));

    public static Encoding Of(ReadOnlySpan<byte> bytes)
    {
        var best = (Page: 0, Score: double.NegativeInfinity);
        foreach (var (page, high) in Russian)
        {
            var reading = new Reading();
            reading.Take(bytes, high);
            var score = reading.Score + (page == Windows1251 ? Usual : 0);
            if (score > best.Score)
            {
                best = (reading.IsRussian(page == Windows1251 ? 2 : 3) ? page : 0, score);
            }
        }

        return Page(best.Page == 0 ? 1252 : best.Page);
    }

    private static Encoding Page(int page) => CodePagesEncodingProvider.Instance.GetEncoding(page) ?? throw new InvalidOperationException($"Code page {page} is part of .NET.");

    private static string Table(int page) => Page(page).GetString([.. Enumerable.Range(128, 128).Select(static b => (byte)b)]);

    /// <summary>A text as one encoding would have it.</summary>
    private struct Reading
    {
        private double _score;
        private int _pure;
        private int _mixed;

        public readonly double Score => _score;

        public readonly bool IsRussian(int least) => _pure >= least && _pure > _mixed && _score > (-0.6 * _pure) - 2.5;

        public void Take(ReadOnlySpan<byte> bytes, string high)
        {
            var word = new StringBuilder();
            var ascii = 0;
            foreach (var b in bytes)
            {
                if (b >= 128 && !Signs.Contains(high[b - 128], StringComparison.Ordinal))
                {
                    word.Append(high[b - 128]);
                }
                else if (char.IsAsciiLetter((char)b))
                {
                    ascii++;
                }
                else if (word.Length + ascii > 0)
                {
                    Word(word.ToString(), ascii > 0);
                    word.Clear();
                    ascii = 0;
                    if (_pure + _mixed >= Enough)
                    {
                        return;
                    }
                }
            }

            Word(word.ToString(), ascii > 0);
        }

        /// <param name="letters">Those above ASCII.</param>
        /// <param name="isMixed">Others stood among them.</param>
        private void Word(string letters, bool isMixed)
        {
            if (isMixed)
            {
                _mixed += letters.Length;
                _score -= 4 * letters.Length;
                return;
            }

            _pure += letters.Length >= 2 ? letters.Length : 0; // a letter by itself is a word in many languages
            var previous = '\0';
            foreach (var letter in letters)
            {
                _score += Letter(letter, previous);
                previous = letter;
            }

            if (letters.Length >= 2)
            {
                _score -= letters.Any(IsVowel) ? 0 : 1.5;
                _score -= letters.Any(char.IsLower) ? 0 : 0.7;
            }
        }

        private static double Letter(char letter, char previous)
        {
            var lower = char.ToLowerInvariant(letter);
            if (!Share.TryGetValue(lower, out var share))
            {
                return "іїєґў".Contains(lower, StringComparison.Ordinal) ? -2 : -6; // Ukrainian and Belarusian
            }

            var score = Math.Log(share / 3);
            return previous == '\0' ? score - (lower is 'ь' or 'ъ' or 'ы' ? 4 : 0) : score - Beside(letter, lower, previous);
        }

        /// <summary>How unlikely it is for a letter to follow this one.</summary>
        private static double Beside(char letter, char lower, char previous)
        {
            double less = char.IsUpper(letter) && char.IsLower(previous) ? 4 : 0;
            less += (lower == 'ь' && IsVowel(previous)) || (lower == 'й' && !IsVowel(previous)) ? 4 : 0;
            less += char.ToLowerInvariant(previous) == 'ъ' && lower is not ('е' or 'ё' or 'ю' or 'я') ? 4 : 0;
            return less + (IsVowel(letter) != IsVowel(previous) ? 0 : IsVowel(letter) ? 0.8 : 0.5);
        }

        private static bool IsVowel(char letter) => Vowels.Contains(char.ToLowerInvariant(letter), StringComparison.Ordinal);
    }
}
