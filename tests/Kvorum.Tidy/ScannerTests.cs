using Kvorum.Tidy.Source;

namespace Kvorum.Tidy;

/// <summary>The counter of lines is right about the parts of the language that could mislead it.</summary>
public sealed class ScannerTests
{
    [Theory]
    [InlineData("var a = \"}{\"; b();", "var a =     ; b();")]
    [InlineData("var a = @\"\"\"}\"; b();", "var a =       ; b();")]
    [InlineData("var a = $\"{{{x}}}\"; b();", "var a =      x    ; b();")]
    [InlineData("var a = $\"{(y ? \"}\" : $\"{z}\")}\"; b();", "var a =    (y ?     :    z  )  ; b();")]
    [InlineData("var c = '{'; // }", "var c =    ;     ")]
    [InlineData("a(/* { */);", "a(       );")]
    [InlineData("var a = \"\"\"a \" } b\"\"\"; b();", "var a =              ; b();")]
    [InlineData("var a = $$\"\"\"{ {{x}} }\"\"\"; b();", "var a =          x       ; b();")]
    public void Strings_and_comments_leave_no_brace_behind(string code, string expected) =>
        Assert.Equal(expected, CodeText.Strip(code));

    [Fact]
    public void Members_are_measured_from_their_first_line_to_their_last()
    {
        const string Code = """
            namespace A.B;

            public sealed record Point(int X, int Y);

            internal sealed class Shape<T>(int record) : Base(record)
                where T : class
            {
                private readonly int[] _sizes = new[]
                {
                    1, 2,
                };

                /// <summary>Not counted.</summary>
                [Obsolete("not counted")]
                public int Area(int x)
                {
                    if (x > 0)
                    {
                        return x;
                    }

                    return 0;
                }

                public int Sides { get; init; } = 4;

                public string Name => _kind switch
                {
                    1 => "}",
                    _ => "{",
                };

                public static Shape<T> operator +(Shape<T> a, Shape<T> b)
                {
                    return a;
                }

                private enum Kind { A, B }
            }
            """;

        var (members, types) = MemberScanner.Scan(CodeText.Strip(Code));

        Assert.Equal(["Point", "Shape", "Kind"], types.Select(type => type.Name));
        Assert.Equal(
            [("Shape.Area", 9), ("Shape.Sides", 1), ("Shape.Name", 5), ("Shape.operator +", 4)],
            members.Select(member => (member.Name, member.Lines)));
    }
}
