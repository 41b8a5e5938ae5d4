using Kvorum.Tidy.Source;

namespace Kvorum.Tidy;

/// <summary>A method fits a screen, a file a sitting, a line a window (docs/style.md, "Shape").</summary>
public sealed class SizeTests
{
    private const int MethodLinesMax = 70;
    private const int FileLinesMax = 600;
    private const int LineColumnsMax = 120;

    [Fact]
    public void No_method_is_longer_than_seventy_lines()
    {
        var tooLong = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var path in Repository.SourceFiles())
        {
            var (members, _) = MemberScanner.Scan(CodeText.Strip(Repository.Read(path)));
            foreach (var member in members.Where(member => member.Lines > MethodLinesMax))
            {
                var name = $"{path} {member.Name}";
                tooLong[name] = Math.Max(member.Lines, tooLong.GetValueOrDefault(name));
            }
        }

        Ratchet.Check("long-methods", $"A method has at most {MethodLinesMax} lines: split it.", tooLong);
    }

    [Fact]
    public void No_file_is_longer_than_six_hundred_lines()
    {
        var tooLong = Repository.SourceFiles()
            .Select(path => (path, lines: Repository.Read(path).AsSpan().Count('\n')))
            .Where(file => file.lines > FileLinesMax)
            .ToDictionary(file => file.path, file => file.lines, StringComparer.Ordinal);

        Ratchet.Check("long-files", $"A file has at most {FileLinesMax} lines: a type too many lives in it.", tooLong);
    }

    [Fact]
    public void No_line_is_wider_than_a_hundred_and_twenty_columns()
    {
        var tooWide = Repository.SourceFiles()
            .Select(path => (path, lines: WideLines(Repository.Read(path))))
            .Where(file => file.lines > 0)
            .ToDictionary(file => file.path, file => file.lines, StringComparer.Ordinal);

        Ratchet.Check(
            "wide-lines",
            $"A line has at most {LineColumnsMax} columns; here is how many lines of which file are wider.",
            tooWide);
    }

    private static int WideLines(string text)
    {
        var count = 0;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            count += line.Length > LineColumnsMax ? 1 : 0;
        }

        return count;
    }
}
