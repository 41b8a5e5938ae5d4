using System.Text.RegularExpressions;

namespace Kvorum.Tidy.Source;

/// <summary>A method, constructor, accessor or property as it stands in a file.</summary>
/// <param name="Name">Type and member, as written.</param>
/// <param name="Line">Of its first line, attributes and comments not counted; from 1.</param>
/// <param name="Lines">From there to its closing brace or semicolon.</param>
internal readonly record struct Member(string Name, int Line, int Lines);

/// <summary>A type declared in a file.</summary>
internal readonly record struct DeclaredType(string Name, int Line);

/// <summary>Finds types and members by their braces, in text that <see cref="CodeText.Strip"/> made.</summary>
internal sealed partial class MemberScanner
{
    private readonly string _code;
    private readonly List<Member> _members = [];
    private readonly List<DeclaredType> _types = [];
    private int _at;

    private MemberScanner(string code) => _code = code;

    public static (IReadOnlyList<Member> Members, IReadOnlyList<DeclaredType> Types) Scan(string code)
    {
        var scanner = new MemberScanner(code);
        scanner.ReadDeclarations(owner: "");
        return (scanner._members, scanner._types);
    }

    [GeneratedRegex(@"\b(class|struct|record|interface|enum)\s+(?:class\s+|struct\s+)?(\w+)")]
    private static partial Regex TypeDeclaration();

    [GeneratedRegex(@"([\w.~]+|operator\s*\S+?|this)\s*(?:<[^()]*>)?\s*$")]
    private static partial Regex NameBeforeParenthesis();

    /// <summary>Reads what a file, namespace or type consists of, up to its closing brace.</summary>
    private void ReadDeclarations(string owner)
    {
        while (true)
        {
            SkipSpaceAndAttributes();
            if (_at >= _code.Length || _code[_at] == '}')
            {
                _at++;
                return;
            }

            var start = _at;
            var end = HeaderEnd();
            var header = _code[start..end];
            var type = TypeDeclaration().Match(Shallow(header));
            _at = end;
            if (type.Success && !header.Contains("=>", StringComparison.Ordinal))
            {
                _types.Add(new DeclaredType(type.Groups[2].Value, LineOf(start)));
            }

            if (_at >= _code.Length)
            {
                return;
            }

            if (header.TrimStart().StartsWith("namespace ", StringComparison.Ordinal) || type.Success)
            {
                var hasBody = _code[_at++] == '{';
                var isEnum = type.Groups[1].Value == "enum";
                if (hasBody && isEnum)
                {
                    SkipBlock();
                }
                else if (hasBody)
                {
                    ReadDeclarations(type.Success ? type.Groups[2].Value : owner);
                }

                continue;
            }

            ReadMember(owner, start, header);
        }
    }

    private void ReadMember(string owner, int start, string header)
    {
        var hasArrow = header.Contains("=>", StringComparison.Ordinal);
        if (_code[_at] == '{')
        {
            _at++;
            SkipBlock();
            var next = _at;
            while (next < _code.Length && char.IsWhiteSpace(_code[next]))
            {
                next++;
            }

            // A property's initial value, or an expression that goes on after an initializer.
            if (next < _code.Length && (_code[next] is '=' or '.' or ';' or ',' or ')' || hasArrow))
            {
                SkipToSemicolon();
            }
        }
        else
        {
            _at++;
        }

        if (!IsField(header))
        {
            var line = LineOf(start);
            _members.Add(new Member($"{owner}.{NameOf(header)}", line, LineOf(_at - 1) - line + 1));
        }
    }

    private static bool IsField(string header)
    {
        var shallow = Shallow(header);
        var value = shallow.IndexOf('=', StringComparison.Ordinal);
        var isArrow = value >= 0 && value + 1 < shallow.Length && shallow[value + 1] == '>';
        return value >= 0 && !isArrow && !shallow[..value].Contains('(', StringComparison.Ordinal)
            && !shallow.Contains("operator", StringComparison.Ordinal);
    }

    private static string NameOf(string header)
    {
        var parenthesis = header.IndexOf('(', StringComparison.Ordinal);
        var arrow = header.IndexOf("=>", StringComparison.Ordinal);
        var isMethod = parenthesis >= 0 && (arrow < 0 || parenthesis < arrow);
        var end = isMethod ? parenthesis : arrow >= 0 ? arrow : header.Length;
        var match = NameBeforeParenthesis().Match(header[..end]);
        return match.Success ? match.Groups[1].Value : header[..end].Trim().Split(' ', '\n')[^1];
    }

    /// <summary>The header without what stands in parentheses: a parameter may be called "record".</summary>
    private static string Shallow(string header)
    {
        var depth = 0;
        return string.Concat(header.Select(c =>
        {
            depth += c == '(' ? 1 : 0;
            var isInside = depth > 0 && c != '(';
            depth -= c == ')' ? 1 : 0;
            return isInside && c != ')' ? ' ' : c;
        }));
    }

    /// <summary>The place of the brace or semicolon that ends a declaration's header.</summary>
    private int HeaderEnd()
    {
        var depth = 0;
        for (var i = _at; i < _code.Length; i++)
        {
            switch (_code[i])
            {
                case '(' or '[':
                    depth++;
                    break;
                case ')' or ']':
                    depth--;
                    break;
                case '{' or ';' or '}' when depth <= 0:
                    return i;
            }
        }

        return _code.Length;
    }

    private void SkipSpaceAndAttributes()
    {
        while (_at < _code.Length)
        {
            if (char.IsWhiteSpace(_code[_at]) || _code[_at] == ';')
            {
                _at++;
            }
            else if (_code[_at] == '[')
            {
                var depth = 0;
                do
                {
                    depth += _code[_at] switch { '[' => 1, ']' => -1, _ => 0 };
                    _at++;
                }
                while (_at < _code.Length && depth > 0);
            }
            else
            {
                return;
            }
        }
    }

    /// <summary>From just after an opening brace to just after its closing one.</summary>
    private void SkipBlock()
    {
        for (var depth = 1; _at < _code.Length && depth > 0; _at++)
        {
            depth += _code[_at] switch { '{' => 1, '}' => -1, _ => 0 };
        }
    }

    private void SkipToSemicolon()
    {
        for (var depth = 0; _at < _code.Length; _at++)
        {
            depth += _code[_at] switch { '{' or '(' or '[' => 1, '}' or ')' or ']' => -1, _ => 0 };
            if (_code[_at] == ';' && depth <= 0)
            {
                _at++;
                return;
            }
        }
    }

    private int LineOf(int place) => _code.AsSpan(0, Math.Min(place, _code.Length)).Count('\n') + 1;
}
