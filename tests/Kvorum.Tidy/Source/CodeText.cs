using System.Text;

namespace Kvorum.Tidy.Source;

/// <summary>
/// A C# file with strings, characters and comments blanked out, so that what is left can be searched and counted
/// without a compiler. Every character keeps its place: offsets and lines are those of the file.
/// </summary>
internal sealed class CodeText
{
    private readonly string _text;
    private readonly StringBuilder _code;
    private int _at;

    private CodeText(string text)
    {
        _text = text;
        _code = new StringBuilder(text);
    }

    /// <summary>Blanks strings, characters and comments, also those in the holes of interpolated strings.</summary>
    public static string Strip(string text)
    {
        var code = new CodeText(text);
        code.ReadCode(closingBraces: 0);
        return code._code.ToString();
    }

    private char Peek(int ahead = 0) => _at + ahead < _text.Length ? _text[_at + ahead] : '\0';

    /// <summary>Reads code up to the end, or up to the braces that close the hole of an interpolated string.</summary>
    private void ReadCode(int closingBraces)
    {
        var depth = 0;
        while (_at < _text.Length)
        {
            var c = Peek();
            if (closingBraces > 0 && depth == 0 && c == '}')
            {
                _at += closingBraces;
                return;
            }

            depth += c switch { '{' => 1, '}' => -1, _ => 0 };
            if (!TrySkipComment() && !TrySkipDirective() && !TrySkipString() && !TrySkipCharacter())
            {
                _at++;
            }
        }
    }

    private bool TrySkipComment()
    {
        if (Peek() != '/' || Peek(1) is not ('/' or '*'))
        {
            return false;
        }

        var end = Peek(1) == '/'
            ? _text.IndexOf('\n', _at)
            : _text.IndexOf("*/", _at + 2, StringComparison.Ordinal) + 2;
        BlankTo(end <= 1 ? _text.Length : end);
        return true;
    }

    /// <summary>Preprocessor lines may hold lone quotes and braces (#error, #pragma).</summary>
    private bool TrySkipDirective()
    {
        if (Peek() != '#' || _text[(_text.LastIndexOf('\n', Math.Max(_at - 1, 0)) + 1).._at].Trim().Length > 0)
        {
            return false;
        }

        var end = _text.IndexOf('\n', _at);
        BlankTo(end < 0 ? _text.Length : end);
        return true;
    }

    private bool TrySkipCharacter()
    {
        if (Peek() != '\'')
        {
            return false;
        }

        var end = _at + 1;
        while (end < _text.Length && _text[end] != '\'')
        {
            end += _text[end] == '\\' ? 2 : 1;
        }

        BlankTo(Math.Min(end + 1, _text.Length));
        return true;
    }

    private bool TrySkipString()
    {
        var dollars = 0;
        var ahead = 0;
        var isVerbatim = false;
        while (Peek(ahead) is '$' or '@')
        {
            dollars += Peek(ahead) == '$' ? 1 : 0;
            isVerbatim |= Peek(ahead) == '@';
            ahead++;
        }

        if (Peek(ahead) != '"')
        {
            return false;
        }

        var quotes = 0;
        while (Peek(ahead + quotes) == '"')
        {
            quotes++;
        }

        if (quotes >= 3 && !isVerbatim)
        {
            BlankTo(_at + ahead + quotes);
            ReadText(dollars, quotes, hasEscapes: false, isVerbatim: false);
        }
        else
        {
            BlankTo(_at + ahead + 1);
            ReadText(dollars, quotes: 1, hasEscapes: !isVerbatim, isVerbatim);
        }

        return true;
    }

    /// <summary>Blanks a string's text up to its closing quotes; what stands in holes is read as code.</summary>
    private void ReadText(int dollars, int quotes, bool hasEscapes, bool isVerbatim)
    {
        var isRaw = quotes >= 3;
        while (_at < _text.Length)
        {
            if (hasEscapes && Peek() == '\\')
            {
                BlankTo(Math.Min(_at + 2, _text.Length));
            }
            else if (isVerbatim && Peek() == '"' && Peek(1) == '"')
            {
                BlankTo(_at + 2);
            }
            else if (Peek() == '"' && CountOf('"') >= quotes)
            {
                BlankTo(_at + quotes);
                return;
            }
            else if (dollars > 0 && Peek() == '{')
            {
                ReadBraces(isRaw ? dollars : 1, isRaw);
            }
            else
            {
                BlankTo(_at + 1);
            }
        }
    }

    /// <summary>
    /// In a raw string a hole opens with as many braces as there are dollars, else two braces stand for one.
    /// </summary>
    private void ReadBraces(int holeBraces, bool isRaw)
    {
        var braces = CountOf('{');
        var isHole = isRaw ? braces >= holeBraces : braces % 2 == 1;
        BlankTo(_at + braces);
        if (isHole)
        {
            ReadCode(holeBraces);
            Blank(_at - holeBraces, _at);
        }
    }

    private int CountOf(char c)
    {
        var count = 0;
        while (Peek(count) == c)
        {
            count++;
        }

        return count;
    }

    private void BlankTo(int end)
    {
        Blank(_at, end);
        _at = end;
    }

    private void Blank(int from, int to)
    {
        for (var i = from; i < Math.Min(to, _code.Length); i++)
        {
            if (_code[i] != '\n')
            {
                _code[i] = ' ';
            }
        }
    }
}
